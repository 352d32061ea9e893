//! What Prometheus scrapes and evaluates.

use std::path::Path;

use serde_json::{Value, json};
use test_support::HelmTools;
use test_support::observability::files;

use crate::facts::selects;
use crate::rendering::render;

#[test]
fn the_rules_are_those_of_the_repository() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability/prometheus/rules");
    let files = files(&folder, "yml").unwrap();
    let documents = HelmTools::find().unwrap().read_yaml(&files).unwrap();
    let groups = documents.iter().flatten().flat_map(|file| file["groups"].as_array().unwrap());
    let groups: Vec<Value> = groups.cloned().collect();
    assert!(groups.len() > 4, "{groups:?}");
    let release = render(&json!({ "monitoring": { "rules": true, "labels": { "team": "x" } } }));
    let rule = release.one("PrometheusRule");
    assert_eq!(rule["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(rule["metadata"]["labels"]["team"], "x");
    assert_eq!(rule["spec"], json!({ "groups": groups }));
}

/// The rules name the job `boxoffice`, which the operator takes from a label of the Service.
#[test]
fn every_pod_is_scraped_once_under_the_name_that_the_rules_use() {
    let release = render(&json!({ "monitoring": { "serviceMonitor": true } }));
    let monitor = release.one("ServiceMonitor");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    let selector = &monitor["spec"]["selector"]["matchLabels"];
    let endpoints =
        json!([{ "port": "ops", "path": "/metrics", "interval": "5s", "scrapeTimeout": "4s" }]);
    let label = "app.kubernetes.io/name";
    let spec = json!({
        "jobLabel": label,
        "selector": { "matchLabels": selector },
        "endpoints": endpoints,
    });
    assert_eq!(monitor["spec"], spec);
    let services = release.of_kind("Service");
    let found: Vec<_> =
        services.iter().filter(|each| selects(selector, &each["metadata"]["labels"])).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["spec"]["ports"][0]["name"], "ops");
    assert_eq!(found[0]["metadata"]["labels"][label], "boxoffice");
}
