//! Alerts and dashboards query only metrics that the service exports.

use std::path::Path;

use test_support::observability::{expressions, selectors};

use super::whole::Whole;

/// Metrics that Prometheus generates itself.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

#[test]
fn every_panel_and_every_rule_queries_metrics_that_a_running_service_exports() {
    let scrape = Whole::start().full_scrape();
    let there = scrape.names();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability");
    let all = expressions(&folder).unwrap();
    let mut compared = 0;
    for expression in &all {
        for selector in selectors(&expression.text) {
            let name = selector.metric.as_str();
            // Names with a colon are recording rules.
            if name.contains(':') || OF_PROMETHEUS.contains(&name) {
                continue;
            }
            compared += 1;
            assert!(there.contains(name), "{}: no metric {name}", expression.place);
        }
    }
    assert!(compared > 100, "{compared} names in {} expressions", all.len());
}
