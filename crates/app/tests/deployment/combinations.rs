//! Every supported combination of values.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use test_support::{HelmTools, run_within};

use crate::facts;
use crate::options;
use crate::rendering::{Release, chart, render_all};

/// Time limit of one run of a program.
const LIMIT: Duration = Duration::from_secs(120);

/// The kinds that are not part of Kubernetes. No package that can be installed here has their
/// schemas, so `facts` compares each field with what it must be.
const CUSTOM: [&str; 4] = ["HTTPRoute", "PrometheusRule", "ScaledObject", "ServiceMonitor"];

#[test]
fn every_combination_is_valid_and_does_what_it_must() {
    let all = options::all();
    let mut values: Vec<_> = all.iter().map(options::Options::values).collect();
    values.push(options::with_all_further_values());
    let rendered = render_all(&values);
    facts::further_values_are_used(&rendered.releases[all.len()]);
    for (options, release) in all.iter().zip(&rendered.releases) {
        facts::check(options, release);
    }
    let mut validator = HelmTools::find().unwrap().validator();
    let said = accepted(validator.args(&rendered.files));
    let unknown: BTreeSet<&str> = said
        .lines()
        .filter_map(|line| line.split_once("schema for kind ")?.1.split(' ').next())
        .collect();
    assert_eq!(unknown, BTreeSet::from(CUSTOM), "{said}");
    let kinds = rendered.releases.iter().flat_map(Release::all);
    let kinds: BTreeSet<&str> = kinds.map(|object| object["kind"].as_str().unwrap()).collect();
    for kind in kinds.difference(&unknown) {
        let passed = format!("passed for resource {}/", kind.to_lowercase());
        assert!(said.contains(&passed), "{kind} was not checked: {said}");
    }
}

#[test]
fn a_field_that_kubernetes_does_not_know_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service.json");
    let spec = json!({ "ports": [{ "port": 80, "targetPrt": "http" }] });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "sale" }, "spec": spec,
    });
    std::fs::write(&file, service.to_string()).unwrap();
    let mut validator = HelmTools::find().unwrap().validator();
    let (status, said) = run_within(validator.arg(file), LIMIT).unwrap();
    assert!(!status.success() && said.contains("targetPrt"), "{said}");
}

#[test]
fn lint_finds_nothing() {
    let mut helm = HelmTools::find().unwrap().helm();
    let said = accepted(helm.args(["lint", "--strict", "--kube-version", "1.37.0"]).arg(chart()));
    assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{said}");
}

#[track_caller]
fn accepted(command: &mut Command) -> String {
    let (status, said) = run_within(command, LIMIT).unwrap();
    assert!(status.success(), "{said}");
    said
}
