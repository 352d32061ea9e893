//! Stops the database under steady load: cached pages are still served, as fast as before.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use test_support::Outcome;

use super::deployment::{self, PAGES, protection};
use super::report::Report;
use crate::cluster::node::Node;
use benchmarks::load::client::request;
use benchmarks::load::outcomes::{Seen, Summary, What, between, is_within_noise};
use benchmarks::load::pace::{Asking, Load, Pace, runtime};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Seconds for which the database is stopped
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Requests a second
    #[arg(long, default_value_t = 1_500)]
    rate: u64,
}

const NODES: usize = 2;

/// Seconds of load before the database stops, and after it is back.
const BEFORE: f64 = 30.0;
const AFTER: f64 = 40.0;

/// Seconds after which the lifetime of the last loaded pages is over: nearly all pages are marked.
const OLD_AFTER: f64 = 15.0;
const NEARLY_ALL: f64 = 0.99;

/// Seconds after which the grace period also ends, in which a page may be served unmarked while
/// another node refreshes it: all are marked.
const ALL_OLD_AFTER: f64 = 42.0;

/// Seconds after recovery from which no page is marked.
const NEW_AFTER: f64 = 10.0;

/// More than are in flight at once.
const CONNECTIONS: usize = 200;

/// Moments of the run, in seconds of the load.
struct Times {
    stopped: f64,
    back: f64,
    end: f64,
}

pub(super) fn outage(arguments: &Arguments, settings: &[String], report: &mut Report) -> Outcome {
    let database = deployment::database(report)?;
    let redis = deployment::cache(deployment::ENOUGH, report)?;
    let address = database.server.address();
    let nodes = deployment::nodes(NODES, address, Some(&redis), &[], settings, report)?;
    let asking = |connections| Asking {
        nodes: nodes.iter().map(|node| node.public).collect(),
        connections,
        request: Arc::new(|n, _| {
            request("GET", &format!("/concerts/query?page={}", 1 + n % PAGES), None)
        }),
    };
    // Loads every page on every node a few times.
    Load::run(asking(NODES), Pace::Open(1_000), Duration::from_secs(6))?;

    let outage = arguments.seconds as f64;
    let lasts = BEFORE + outage + AFTER;
    report.add(format!(
        "{} questions a second, of each node for its {PAGES} pages in turn, each timed from when it was due; Postgres is \
         stopped after {BEFORE} s for {outage} s",
        arguments.rate
    ));
    let load = Load::start(
        asking(CONNECTIONS),
        Pace::Open(arguments.rate),
        Duration::from_secs_f64(lasts),
    )?;
    load.wait_for(BEFORE);
    let stopped = load.passed();
    database.server.stop()?;
    load.wait_for(stopped + outage);
    let down = breakers(&nodes)?;
    database.server.restart()?;
    let back = load.passed();
    let seen = load.join()?;
    report.add(format!(
        "Postgres was stopped at {stopped:.1} s and accepted connections again at {back:.1} s"
    ));
    report.add(format!("breakers just before that: {down}; at the end: {}", breakers(&nodes)?));
    notify(&seen, &Times { stopped, back, end: lasts }, report);
    deployment::report_troubles(&nodes, report);
    Ok(())
}

/// The state of the catalog's breaker at each node.
fn breakers(nodes: &[Node]) -> Outcome<String> {
    let mut states = Vec::new();
    for node in nodes {
        let said = runtime()?.block_on(protection(node))?;
        states.push(said["breakers"]["catalog"]["state"].to_string());
    }
    Ok(states.join(", "))
}

fn notify(seen: &[Seen], times: &Times, report: &mut Report) {
    for from in (0..times.end as u32).step_by(10).map(f64::from) {
        report.add(format!("{from:>4} s: {}", Summary::of(between(seen, from, from + 10.0))));
    }
    let Times { stopped, back, end } = *times;
    let phases = [("before", 0.0, stopped), ("down", stopped, back), ("after", back, end)];
    let [before, down, after] =
        phases.map(|(name, from, to)| (name, Summary::of(between(seen, from, to))));
    for (name, summary) in [&before, &down, &after] {
        report.add(format!("{name:>6}: {summary}"));
    }
    let bad = Summary::of(seen);
    report.expect(bad.refused + bad.failed == 0, "no error at all");
    report.expect(before.1.marked == 0, "no page is marked before");
    report.expect(
        is_within_noise(down.1.p99, before.1.p99),
        "p99 while it is down at most twice what it was before, or 10 ms more",
    );
    let old = Summary::of(between(seen, stopped + OLD_AFTER, back));
    let share = old.marked as f64 / old.answered().max(1) as f64;
    report.expect(
        share >= NEARLY_ALL,
        format!("from {OLD_AFTER} s on {NEARLY_ALL} of the pages are marked ({share:.4})"),
    );
    let unmarked = Summary::of(between(seen, stopped + ALL_OLD_AFTER, back)).good;
    report.expect(unmarked == 0, format!("from {ALL_OLD_AFTER} s on all are ({unmarked} not)"));
    for second in 0..15 {
        let from = back + f64::from(second);
        let Summary { good, marked, .. } = Summary::of(between(seen, from, from + 1.0));
        report.add(format!("{second:>2} s after it is back: {good:>5} good {marked:>5} marked"));
    }
    let marked = between(seen, back, end).filter(|one| one.what == What::Marked);
    let last = marked.map(|one| one.at.as_secs_f64() - back).fold(0.0, f64::max);
    report.expect(
        last <= NEW_AFTER,
        format!("no page is marked {NEW_AFTER} s after it is back (last: {last:.1} s)"),
    );
}
