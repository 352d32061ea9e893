//! `cargo xtask bench-telemetry`: the cost of the status query with telemetry on, against off.
//!
//! One server worker runs on one core; wrk and a collector that accepts everything share the other.

use std::path::PathBuf;

use clap::Args;

use crate::affinity;
use crate::bench::measure::Target;
use crate::bench::report::{BASELINE, Results};
use crate::bench::service::Service;
use crate::bench::{make_folder, save, wrk};
use crate::stats::Rounds;
use test_support::Outcome;
use test_support::otlp::Collector;
use test_support::workspace::build_release;

/// The arguments of `cargo xtask bench-telemetry`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    measure: Rounds,
    /// Folder for raw output and the table, relative to the repository
    #[arg(long, default_value = "loadtest/results/telemetry")]
    out: PathBuf,
}

const WHAT: &str = "\
Printed by `cargo xtask bench-telemetry`. A status query of somebody who waits. Off: no metrics, no traces, no sampled lines. \
Metrics: `telemetry.metrics`, as by default. All: metrics, 1 % of traces, logs and every thousandth request's line, sent to a \
collector that takes everything and shares wrk's core.";

const OFF: &str = "status query, telemetry off";
const METRICS: &str = "status query, metrics";
const ALL: &str = "status query, metrics and 1 % of traces";

/// Runs it.
///
/// # Errors
/// If a tool is missing, or the build or a measurement fails.
pub fn bench_telemetry(arguments: &Arguments) -> Outcome {
    wrk::require_tools()?;
    build_release()?;
    affinity::stay_on(affinity::GENERATOR)?;
    let out = make_folder(&arguments.out)?;

    let collector = Collector::answering()?;
    let endpoint = format!("telemetry.otlp.endpoint={}", collector.endpoint());
    let start = |telemetry: &[&str]| {
        let standing_still = ["queue.policy.batch=1", "queue.policy.every=1h"];
        Service::start("serve", &[&standing_still[..], telemetry].concat())
    };
    let off = start(&["telemetry.metrics=false", "telemetry.log_sample=0"])?;
    let metrics = start(&["telemetry.log_sample=0"])?;
    let all = start(&[&endpoint, "telemetry.traces.sample=0.01", "telemetry.log_sample=0.001"])?;
    let baseline = Service::start("baseline", &[])?;
    let mut tokens = Vec::new();
    for service in [&off, &metrics, &all] {
        service.join(1)?;
        tokens.push(service.join(2)?);
    }

    let targets = [
        Target::new(BASELINE, &baseline, "/constant", None),
        Target::status(OFF, &off, &tokens[0]),
        Target::status(METRICS, &metrics, &tokens[1]),
        Target::status(ALL, &all, &tokens[2]),
    ];
    let mut results = Results::new(arguments.measure);
    results.measure(&targets, &out)?;
    let mut text = results.markdown("Telemetry, against none of it", WHAT);
    text += &results.compared_rates("Metrics alone, to off", METRICS, OFF);
    text += &results.compared("Metrics alone, to off", METRICS, OFF);
    text += &results.compared_rates("Metrics and 1 % of traces, to off", ALL, OFF);
    text += &results.compared("Metrics and 1 % of traces, to off", ALL, OFF);
    text += &format!("\nThe collector was asked {} times.\n", collector.requests());
    save(&text, &out)?;
    results.check_clean()
}
