//! The configuration in the ConfigMap, and the program that reads it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::{HelmTools, run_within};

use crate::facts::container;
use crate::options;
use crate::rendering::{chart, render, render_all};

/// Time limit of one run of the program.
const LIMIT: Duration = Duration::from_secs(60);

/// What a Secret could contain.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("BOXOFFICE__QUEUE__KEYS", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"),
    ("BOXOFFICE__POSTGRES__URL", "postgres://boxoffice:secret@postgres:5432/boxoffice"),
    ("BOXOFFICE__REDIS__QUEUE__URL", "redis://boxoffice:secret@queue:6379"),
    ("BOXOFFICE__REDIS__CACHE__URL", "redis://boxoffice:secret@cache:6379"),
];

/// What `boxoffice config` says to a file, with the given variables.
fn said_to(configuration: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boxoffice.toml");
    fs::write(&file, configuration).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_boxoffice"));
    program.args(["config", "--config"]).arg(&file).current_dir(folder.path());
    program.envs(variables.iter().copied());
    let (status, said) = run_within(&mut program, LIMIT).unwrap();
    (status.success(), said)
}

#[test]
fn the_program_accepts_every_configuration_with_the_variables_of_its_pod() {
    let values: Vec<_> = options::all()
        .into_iter()
        .filter(|options| !(options.gateway || options.rules || options.service_monitor))
        .filter(|options| options.policy && options.migrate)
        .map(|options| options.values())
        .collect();
    let mut tried = BTreeSet::new();
    for release in render_all(&values).releases {
        let container = container(&release);
        assert_eq!(container["args"], json!(["--config", "/etc/boxoffice/boxoffice.toml"]));
        let has = |variable: &str| {
            let mut all = container["env"].as_array().into_iter().flatten();
            all.any(|given| given["name"] == variable)
        };
        let variables: Vec<_> = SECRETS.into_iter().filter(|(name, _)| has(name)).collect();
        if tried.insert((release.configuration().to_owned(), variables.len())) {
            let (accepted, said) = said_to(release.configuration(), &variables);
            assert!(accepted, "{}\n{said}", release.configuration());
            assert!(!said.contains("is now called"), "{said}");
        }
    }
    assert!(tried.len() > 5, "{tried:?}");
}

#[test]
fn a_configuration_that_the_program_refuses_is_found() {
    let release = render(&json!({ "config": { "queue": { "plicy": { "batch": 1 } } } }));
    let (accepted, said) = said_to(release.configuration(), &SECRETS);
    assert!(!accepted && said.contains("plicy"), "{said}");
}

/// Helm keeps a null that is no default of the chart, and TOML has none.
#[test]
fn a_null_leaves_the_default_of_the_program() {
    let policy = json!({ "batch": null, "every": "2s" });
    let release = render(&json!({ "config": { "queue": { "policy": policy } } }));
    let file: toml::Table = release.configuration().parse().unwrap();
    let policy = &file["queue"]["policy"];
    assert_eq!((policy.get("batch"), policy["every"].as_str()), (None, Some("2s")));
}

/// Every kind of value arrives as it is in the values.
#[test]
fn the_file_has_the_values_and_what_the_chart_decides() {
    let config = json!({
        "queue": { "policy": { "batch": 250, "max_waiting": 10_000_000, "every": "1s" } },
        "telemetry": { "traces": { "sample": 0.05 }, "resource": ["a=b & <c>", "d=\"e\""] },
        "http": { "docs": true },
    });
    let release = render(&json!({ "config": config, "drain": { "delay": 7, "shutdown": 30 } }));
    let file: toml::Table = release.configuration().parse().unwrap();
    let found = serde_json::to_value(&file).unwrap();
    let defaults = HelmTools::find().unwrap().read_yaml(&[chart().join("values.yaml")]).unwrap();
    let mut expected = defaults[0][0]["config"].clone();
    merge(&mut expected, &config);
    merge(
        &mut expected,
        &json!({
            "http": { "bind": "0.0.0.0:8081", "drain_delay": "7s", "shutdown_timeout": "30s" },
            "ops": { "bind": "0.0.0.0:9081" },
        }),
    );
    assert_eq!(found, expected);
    let (accepted, said) = said_to(release.configuration(), &SECRETS);
    assert!(accepted, "{said}");
}

#[test]
fn a_change_of_the_configuration_replaces_the_pods() {
    let checksum = |values: Value| {
        let release = render(&values);
        let pod = &release.one("Deployment")["spec"]["template"]["metadata"]["annotations"];
        pod["checksum/config"].as_str().unwrap().to_owned()
    };
    let before = checksum(json!({}));
    assert_eq!(before, checksum(json!({ "replicas": 5 })));
    let batch = json!({ "queue": { "policy": { "batch": 50 } } });
    assert_ne!(before, checksum(json!({ "config": batch })));
    assert_ne!(before, checksum(json!({ "drain": { "delay": 6 } })));
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
