//! Ten times as many requests as the database can answer: it keeps answering at its capacity, and
//! the rest is refused at once.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use test_support::{FaultProxy, Outcome};

use super::deployment::{self, CONCERTS, admit, protection};
use super::report::Report;
use benchmarks::load::client::request;
use benchmarks::load::outcomes::{Seen, Summary, What, between, is_within_noise};
use benchmarks::load::pace::{Asking, Load, Pace, draw, runtime};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Seconds of overload
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Milliseconds by which every answer of the database is delayed, so that the database is the
    /// bottleneck and not the processor
    #[arg(long, default_value_t = 40)]
    delay: u64,
    /// The offered load as a multiple of the capacity
    #[arg(long, default_value_t = 10)]
    times: u64,
}

/// Every request queries the database, and no stale entry can replace an answer.
const NO_CACHE: [&str; 4] = [
    "cache.dates.local_bytes=0",
    "cache.dates.ttl=1ms",
    "cache.dates.stale_while_refreshing=0s",
    "cache.dates.stale_if_error=0s",
];

/// People with a session.
const TOKENS: u64 = 50;

/// Half as many again as the database's concurrent queries, so that there is always one waiting.
const ENOUGH: usize = 12;

/// More than are in flight at once.
const MANY: usize = 3_000;

/// Seconds of measuring the capacity, and of the half load before and after.
const MEASURED: f64 = 10.0;
const AROUND: u64 = 20;

/// Seconds after the overload from which the service must have recovered.
const RECOVERED: f64 = 10.0;

/// The limit on the time of a refusal.
const REFUSAL: Duration = Duration::from_millis(50);

pub(super) fn overload(arguments: &Arguments, settings: &[String], report: &mut Report) -> Outcome {
    let database = deployment::database(report)?;
    let proxy = FaultProxy::to(database.server.address())?;
    let nodes = deployment::nodes(1, proxy.address(), None, &NO_CACHE, settings, report)?;
    let runtime = runtime()?;
    let tokens = runtime.block_on(admit(&nodes[0], TOKENS))?;
    proxy.delay(Duration::from_millis(arguments.delay));
    let dates = move |n: u64, _| {
        let path = format!("/concert/{}/date", draw(n, CONCERTS));
        request("GET", &path, tokens.get((n % TOKENS) as usize).map(String::as_str))
    };
    let dates = Arc::new(dates);
    let asking =
        |connections| Asking { nodes: vec![nodes[0].public], connections, request: dates.clone() };

    report.add(format!(
        "dates of {CONCERTS} concerts at random; each answer of Postgres is held {} ms",
        arguments.delay
    ));
    let seen = Load::run(asking(ENOUGH), Pace::Closed, Duration::from_secs_f64(MEASURED + 2.0))?;
    let measured = Summary::of(between(&seen, 2.0, 2.0 + MEASURED));
    let capacity = measured.answered() as f64 / MEASURED;
    report.add(format!(
        "capacity, {ENOUGH} asking again and again: {capacity:.0} good answers a second; {measured}"
    ));

    let half = Pace::Open((capacity / 2.0) as u64);
    let all = Pace::Open((capacity * arguments.times as f64) as u64);
    let around = Duration::from_secs(AROUND);
    let before = Load::run(asking(MANY), half, around)?;
    let during = Load::run(asking(MANY), all, Duration::from_secs(arguments.seconds))?;
    let after = Load::run(asking(MANY), half, around)?;
    notify(&before, &during, &after, capacity, report);
    let protection = runtime.block_on(protection(&nodes[0]))?;
    report.add(format!(
        "bulkheads: {}; breaker: {}",
        protection["bulkheads"], protection["breakers"]["catalog"]
    ));
    deployment::report_troubles(&nodes, report);
    Ok(())
}

fn notify(before: &[Seen], during: &[Seen], after: &[Seen], capacity: f64, report: &mut Report) {
    report.add(format!("at half of it, before: {}", Summary::of(before)));
    for (name, seen) in [("overload", during), ("after it", after)] {
        let end = seen.iter().map(|one| one.at.as_secs()).max().unwrap_or_default();
        for second in 0..=end {
            let from = second as f64;
            report.add(format!(
                "{name} {second:>2} s: {}",
                Summary::of(between(seen, from, from + 1.0))
            ));
        }
    }
    let seconds = during.iter().map(|one| one.at.as_secs_f64()).fold(1.0, f64::max);
    let of = |what| Summary::of(during.iter().filter(move |one| one.what == what));
    let (good, refused) = (of(What::Good), of(What::Refused));
    report.add(format!("good in the overload:    {good}"));
    report.add(format!("refused in the overload: {refused}"));
    let goodput = good.good as f64 / seconds;
    report.expect(
        goodput >= 0.9 * capacity,
        format!(
            "{goodput:.0} good answers a second are at least 0.9 of the capacity of {capacity:.0}"
        ),
    );
    report.expect(
        refused.p99 < REFUSAL,
        format!("p99 of a refusal below {REFUSAL:?} ({:.1?})", refused.p99),
    );
    let failed = Summary::of(during).failed;
    report.expect(
        failed == 0,
        format!("every other answer is a refusal that says when to come again ({failed} not)"),
    );
    let (calm, again) = (Summary::of(before), Summary::of(between(after, RECOVERED, f64::MAX)));
    report.add(format!("from {RECOVERED} s after it on: {again}"));
    report.expect(
        again.refused + again.failed == 0,
        format!("no error from {RECOVERED} s after it on"),
    );
    report.expect(
        is_within_noise(again.p99, calm.p99),
        "p99 then at most twice what it was before, or 10 ms more",
    );
}
