//! Alerts and dashboards ask for what the service measures.

use std::path::Path;

use test_support::observability::{expressions, selectors};

use super::whole::Whole;

/// What Prometheus makes by itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

#[test]
fn every_panel_and_every_rule_asks_for_something_that_a_running_service_measures() {
    let scrape = Whole::start().full_scrape();
    let there = scrape.names();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability");
    let all = expressions(&folder).unwrap();
    let mut compared = 0;
    for expression in &all {
        for selector in selectors(&expression.text) {
            let name = selector.metric.as_str();
            // Names with a colon are those of recording rules.
            if name.contains(':') || OF_PROMETHEUS.contains(&name) {
                continue;
            }
            compared += 1;
            assert!(there.contains(name), "{}: nothing measures {name}", expression.place);
        }
    }
    assert!(compared > 100, "{compared} names in {} expressions", all.len());
}
