//! Rules and dashboards name only metrics that exist, and every alert says what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use telemetry::metrics::catalog::FAMILIES;
use telemetry::metrics::{Kind, Metric};
use test_support::observability::{
    Case, Panel, Rule, expressions, files, groupings, queries, read, read_cases, read_dashboard,
    read_rules, selectors,
};

/// Labels that Prometheus adds to every series.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// Labels of `ALERTS`.
const OF_ALERTS: [&str; 3] = ["alertname", "alertstate", "severity"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn deployed() -> PathBuf {
    root().join("deploy/observability")
}

fn rules_in(folder: &str) -> Vec<Rule> {
    let files = files(&deployed().join(folder), "yml").unwrap();
    files.iter().flat_map(|file| read_rules(&read(file).unwrap())).collect()
}

fn alerts_in(folder: &str) -> Vec<Rule> {
    rules_in(folder).into_iter().filter(Rule::is_alert).collect()
}

/// The Prometheus name of every metric, with its labels.
fn measured() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = FAMILIES.iter().flat_map(|family| family.metrics);
    let mut names: BTreeMap<String, BTreeSet<String>> =
        metrics.flat_map(|metric| series_of(metric)).collect();
    names.insert("up".to_owned(), BTreeSet::new());
    names
}

fn series_of(metric: &Metric) -> Vec<(String, BTreeSet<String>)> {
    let name = metric.prometheus_name();
    let labels: BTreeSet<String> =
        metric.labels.iter().map(|label| label.replace('.', "_")).collect();
    match metric.kind {
        Kind::Counter | Kind::Gauge => vec![(name, labels)],
        Kind::Histogram(_) => {
            let with_bound = labels.iter().cloned().chain(["le".to_owned()]).collect();
            vec![
                (format!("{name}_bucket"), with_bound),
                (format!("{name}_sum"), labels.clone()),
                (format!("{name}_count"), labels),
            ]
        }
    }
}

/// The runbook page of an alert: `AdmissionStalled` is explained in `admission-stalled.md`.
fn page_of(alert: &str) -> String {
    let mut page = String::new();
    for c in alert.chars() {
        if c.is_ascii_uppercase() && !page.is_empty() {
            page.push('-');
        }
        page.push(c.to_ascii_lowercase());
    }
    page + ".md"
}

#[test]
fn every_metric_in_an_expression_is_measured_or_recorded() {
    let measured = measured();
    let recorded: BTreeSet<String> = rules_in("prometheus/rules")
        .into_iter()
        .filter(|rule| !rule.is_alert())
        .map(|rule| rule.name().to_owned())
        .collect();
    let all_labels: BTreeSet<&str> = measured
        .values()
        .flatten()
        .map(String::as_str)
        .chain(OF_PROMETHEUS)
        .chain(OF_ALERTS)
        .collect();
    let mut wrong = Vec::new();
    for expression in expressions(&deployed()).unwrap() {
        let found = selectors(&expression.text);
        if found.is_empty() && expression.text.trim() != "vector(1)" {
            wrong.push(format!("{}: selects no metric: {}", expression.place, expression.text));
        }
        for selector in found {
            let metric = &selector.metric;
            if recorded.contains(metric) || metric == "ALERTS" {
                continue;
            }
            let Some(labels) = measured.get(metric) else {
                wrong.push(format!("{}: there is no {metric}", expression.place));
                continue;
            };
            let is_known = |label: &&String| {
                labels.contains(label.as_str()) || OF_PROMETHEUS.contains(&label.as_str())
            };
            let unknown: Vec<_> = selector.labels.iter().filter(|label| !is_known(label)).collect();
            if !unknown.is_empty() {
                wrong.push(format!("{}: {metric} has no {unknown:?}", expression.place));
            }
        }
        for label in groupings(&expression.text) {
            if !all_labels.contains(label.as_str()) {
                wrong.push(format!("{}: nothing has a label {label}", expression.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_metric_is_used_in_a_rule_or_panel() {
    let requested: BTreeSet<String> = expressions(&deployed())
        .unwrap()
        .into_iter()
        .flat_map(|expression| selectors(&expression.text))
        .map(|selector| selector.metric)
        .collect();
    let metrics = FAMILIES.iter().flat_map(|family| family.metrics);
    let is_asked =
        |metric: &Metric| series_of(metric).iter().any(|(name, _)| requested.contains(name));
    let unseen: Vec<_> =
        metrics.filter(|metric| !is_asked(metric)).map(|metric| metric.prometheus_name()).collect();
    assert!(unseen.is_empty(), "in no rule and on no panel: {unseen:?}");
}

#[test]
fn every_alert_has_a_description_and_a_runbook_page() {
    let severities = ["page", "ticket", "none"];
    let mut wrong = Vec::new();
    for alert in alerts_in("prometheus/rules").iter().chain(&alerts_in("loki/rules/fake")) {
        let name = alert.name();
        let page = format!("docs/runbook/{}", page_of(name));
        if alert.field("runbook_url") != Some(page.as_str()) {
            wrong.push(format!("{name}: its runbook_url is not {page}"));
        }
        if !root().join(&page).is_file() {
            wrong.push(format!("{name}: there is no {page}"));
        }
        for annotation in ["summary", "description", "dashboard"] {
            if alert.field(annotation).is_none_or(str::is_empty) {
                wrong.push(format!("{name}: no {annotation}"));
            }
        }
        if !alert.field("severity").is_some_and(|severity| severities.contains(&severity)) {
            wrong.push(format!("{name}: its severity is not one of {severities:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_runbook_page_belongs_to_an_alert_and_is_in_the_index() {
    let folder = root().join("docs/runbook");
    let alerts = alerts_in("prometheus/rules");
    let pages: BTreeSet<String> = alerts.iter().map(|alert| page_of(alert.name())).collect();
    let index = read(&folder.join("README.md")).unwrap();
    let mut wrong = Vec::new();
    for file in files(&folder, "md").unwrap() {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "README.md" {
            continue;
        }
        let text = read(&file).unwrap();
        if !pages.contains(&name) {
            wrong.push(format!("{name}: no alert links here"));
        }
        if !index.contains(&format!("({name})")) {
            wrong.push(format!("{name}: not in the index"));
        }
        for part in ["\n## What it means\n", "\n## How to see it\n", "\n## What to do\n"] {
            if !text.contains(part) {
                wrong.push(format!("{name}: no{}", part.trim_end()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parts of the text between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_runbook_names_only_existing_keys_and_metrics() {
    let configuration = read(&root().join("docs/configuration.md")).unwrap();
    let sections: BTreeSet<&str> = configuration
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(['.', '`']).next())
        .collect();
    let is_key = |word: &&str| {
        word.split_once('.').is_some_and(|(section, _)| sections.contains(section))
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')
    };
    let measured = measured();
    let recorded = rules_in("prometheus/rules");
    let is_known = |metric: &str| {
        metric == "ALERTS"
            || measured.contains_key(metric)
            || recorded.iter().any(|rule| rule.name() == metric)
    };
    let mut wrong = Vec::new();
    for file in files(&root().join("docs/runbook"), "md").unwrap() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = read(&file).unwrap();
        for key in code(&text).filter(is_key) {
            if !configuration.contains(&format!("| `{key}` |")) {
                wrong.push(format!("{name}: there is no key {key}"));
            }
        }
        for query in queries(&text) {
            for selector in selectors(query) {
                if !is_known(&selector.metric) {
                    wrong.push(format!("{name}: there is no {}", selector.metric));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alert_has_tests_where_it_fires_clears_and_stays_silent() {
    let files = files(&deployed().join("prometheus/tests"), "yml").unwrap();
    let cases: Vec<Case> = files.iter().flat_map(|file| read_cases(&read(file).unwrap())).collect();
    let alerts = alerts_in("prometheus/rules");
    let mut wrong = Vec::new();
    for alert in &alerts {
        let mut courses: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for case in cases.iter().filter(|case| case.alert == alert.name()) {
            courses.entry(&case.test).or_default().push(case.fires);
        }
        let fires = courses.values().any(|course| course.contains(&true));
        let clears =
            courses.values().any(|course| course.windows(2).any(|pair| pair == [true, false]));
        let is_silent = courses.values().any(|course| !course.contains(&true));
        // It has no reason to stay silent.
        let is_constant = alert.field("expr").is_some_and(|text| selectors(text).is_empty());
        let is_tried = fires && (is_constant || clears && is_silent);
        if !is_tried {
            wrong.push(format!(
                "{}: fires {fires}, clears {clears}, silent {is_silent}",
                alert.name()
            ));
        }
    }
    for case in &cases {
        if !alerts.iter().any(|alert| alert.name() == case.alert) {
            wrong.push(format!("{}: there is no alert {}", case.test, case.alert));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn panels_of(dashboard: &str) -> Vec<Panel> {
    read_dashboard(&read(&deployed().join("grafana/dashboards").join(dashboard)).unwrap()).unwrap()
}

#[test]
fn the_dashboard_sections_are_in_order() {
    let panels = panels_of("boxoffice.json");
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel.kind == "row")
        .map(|panel| panel.title.as_str())
        .collect();
    assert_eq!(
        rows,
        ["The sale", "Requests", "Resilience", "Dependencies", "Machines", "Failures"]
    );
}

#[test]
fn every_panel_has_a_description_a_provisioned_source_and_valid_links() {
    let sources =
        read(&deployed().join("grafana/provisioning/datasources/datasources.yml")).unwrap();
    let mut wrong = Vec::new();
    for dashboard in ["boxoffice.json", "k6.json"] {
        let panels = panels_of(dashboard);
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel.id).collect();
        assert_eq!(ids.len(), panels.len(), "{dashboard}: an id is used twice");
        for panel in panels.iter().filter(|panel| panel.kind != "row") {
            let title = &panel.title;
            if title.is_empty() || panel.description.is_empty() || panel.sources.is_empty() {
                wrong.push(format!(
                    "{dashboard}: panel {} {title}: no title, description or query",
                    panel.id
                ));
            }
            for source in &panel.sources {
                if !sources.contains(&format!("uid: {source}\n")) {
                    wrong.push(format!("{dashboard}: {title}: there is no data source {source}"));
                }
            }
            for link in &panel.links {
                let page = link.rsplit_once("/docs/runbook/").map(|(_, page)| page);
                if !page.is_some_and(|page| root().join("docs/runbook").join(page).is_file()) {
                    wrong.push(format!("{dashboard}: {title}: dead link: {link}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
