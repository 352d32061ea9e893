//! The tables of a run.

use std::fmt::Write as _;

use super::CONNECTIONS;
use super::http::{JOIN_REDIS, JOIN_REPLICATED, STATUS_MEMORY, STATUS_REDIS};
use super::steady::Steady;
use super::store::{Alone, CALLED, Crowd, KINDS};
use crate::bench::report::Results;
use crate::stats::Rounds;

pub(super) fn markdown(
    http: &Results,
    alone: &Alone,
    crowd: &Crowd,
    steady: &Steady,
    rounds: &Rounds,
) -> String {
    let environment = http.environment();
    let mut text = format!(
        "# The line in Redis\n\n\
         Printed by `cargo xtask bench-redis`; raw output beside this page. Machine: {}. Built from {}.\n\n\
         One server worker on one core; wrk with one thread, Redis and its replica share another, so what they cannot do \
         shows as a server load below 1, and then the ratio by the server's processor time is the one to read. {} rounds of \
         {} s a measurement. A single Redis with an append-only file and a replica.\n\n\
         ## Over HTTP\n\n",
        environment.machine(),
        environment.built(),
        rounds.rounds,
        rounds.seconds
    );
    text += &http.table();
    for (what, to) in [(JOIN_REPLICATED, JOIN_REDIS), (STATUS_REDIS, STATUS_MEMORY)] {
        text += &http.compared_rates(&format!("{what} to {to}"), what, to);
    }
    // Writing to a `String` cannot fail.
    let _ = write!(
        text,
        "\nAt a steady {} joins a second, half of what it can take, {} joins, each timed from when it was due: \
         p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms.\n",
        steady.per_second,
        steady.joins,
        millis(steady.p50),
        millis(steady.p99),
        millis(steady.p999)
    );
    text.push_str(
        "\n## The adapter alone\n\n\
         | joins | askers | joins/s: median (lowest to highest) | Redis, microseconds of processor time a join |\n\
         |---|---|---|---|\n",
    );
    for askers in CONNECTIONS {
        for kind in KINDS {
            let (low, middle, high) = alone.figures(kind, askers, |joins| joins.per_second);
            let (us_low, us, us_high) = alone.figures(kind, askers, |joins| joins.redis_micros);
            let _ = writeln!(
                text,
                "| {}, {} | {askers} | {middle:.0} ({low:.0} to {high:.0}) | {us:.2} ({us_low:.2} to {us_high:.2}) |",
                kind.0, kind.1
            );
        }
    }
    text.push('\n');
    for askers in CONNECTIONS {
        let cost = |kind| alone.figures(kind, askers, |joins| joins.redis_micros).1;
        let _ = writeln!(
            text,
            "- {askers} askers: a join in a batch costs Redis {:.2} of what it costs alone",
            cost(KINDS[0]) / cost(KINDS[1])
        );
    }
    let _ = write!(
        text,
        "\n## A crowd\n\n\
         - {} people waiting take {:.0} bytes of Redis' memory each.\n\
         - Calling {CALLED} of them in one step keeps Redis busy for {:.2} ms.\n",
        crowd.people, crowd.bytes_each, crowd.call_millis
    );
    text
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
