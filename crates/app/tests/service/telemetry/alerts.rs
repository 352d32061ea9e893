//! Alerts and dashboards ask for what the service measures.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::whole::Whole;

/// How the names of what the program measures begin.
const OURS: [&str; 5] = ["boxoffice_", "http_server_", "db_client_", "process_", "system_network_"];

fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let all = entries.map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == kind)).collect()
}

/// The words of a text that name something the program measures.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words
        .filter(|word| !word.contains(':') && OURS.iter().any(|ours| word.starts_with(ours)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_panel_and_every_rule_asks_for_something_that_a_running_service_measures() {
    let scrape = Whole::start().full_scrape();
    let there = scrape.names();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability");
    let rules = files(&folder.join("prometheus/rules"), "yml");
    let dashboards = files(&folder.join("grafana/dashboards"), "json");
    assert!(!rules.is_empty() && !dashboards.is_empty());
    for path in rules.iter().chain(&dashboards) {
        let text = fs::read_to_string(path).unwrap();
        let asked = names(&text);
        let missing: Vec<_> = asked.iter().filter(|name| !there.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{} asks for {missing:?}", path.display());
    }
}

#[test]
fn a_name_that_nothing_measures_is_found() {
    let text = "expr: sum(rate(boxoffice_queue_joined_total{kind=\"new\"}[5m])) / boxoffice:joins:rate5m";
    assert_eq!(names(text).into_iter().collect::<Vec<_>>(), ["boxoffice_queue_joined_total"]);
}
