//! The replaced service, and the same loads on this one.

use std::fmt::Write as _;

use crate::bench::replaced_service_loads::{Breaking, JOIN, JOIN_REDIS, LIST, Load, READ};
use crate::stats::time;

/// A row of its load-test report; times in seconds.
struct Replaced {
    users: u32,
    what: &'static str,
    /// Average, 90th and 95th percentile; `None` if it failed.
    times: Option<[f64; 3]>,
}

/// A scenario of its report, and the comparable loads of this service.
struct Scenario {
    name: &'static str,
    loads: &'static [Replaced],
    ours: &'static [&'static str],
}

/// The tables "최대 VS 최적 시간 결과" of the report, and its text for the load that failed.
const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "Issue a waiting token",
        loads: &[
            Replaced { users: 12_000, what: "its maximum", times: Some([25.98, 47.84, 50.94]) },
            Replaced { users: 400, what: "its best", times: Some([0.44, 0.79, 0.97]) },
        ],
        ours: &[JOIN, JOIN_REDIS],
    },
    Scenario {
        name: "List concerts",
        loads: &[
            Replaced { users: 8_000, what: "its maximum", times: Some([4.4, 7.51, 21.83]) },
            Replaced { users: 900, what: "its best", times: Some([0.46, 0.81, 0.97]) },
        ],
        ours: &[LIST],
    },
    Scenario {
        name: "Join, wait, read a concert's dates",
        loads: &[
            Replaced { users: 600, what: "failed: 27 waited for a pool of 10", times: None },
            Replaced { users: 300, what: "its maximum", times: Some([9.71, 32.08, 38.02]) },
            Replaced { users: 70, what: "its best", times: Some([0.23, 1.07, 1.61]) },
        ],
        ours: &[READ],
    },
];

/// One table for each scenario.
pub(super) fn tables(breaking: &Breaking) -> String {
    let mut text = "\
Its users ramped up to the listed number within a minute; ours are connections that are all open
from the start, each sending its next request as soon as the previous one is answered. Its dates
scenario sleeps between requests, ours does not. Its catalog, cache and queue were in a database and
Redis, ours are as each table says.
"
    .to_owned();
    for Scenario { name, loads, ours } in &SCENARIOS {
        let _ = write!(
            text,
            "\n### {name}\n\n| users | replaced service | avg / p90 / p95 | this service | avg / p90 / p95 | p99 / p99.9 | errors |\n\
             |---|---|---|---|---|---|---|\n"
        );
        for old in *loads {
            for what in *ours {
                let load =
                    breaking.loads.iter().find(|l| l.what == *what && l.connections == old.users);
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {what} | {} |",
                    old.users,
                    old.what,
                    old.reported(),
                    measured(load)
                );
            }
        }
    }
    text
}

impl Replaced {
    fn reported(&self) -> String {
        self.times.map_or_else(
            || "none".to_owned(),
            |[mean, p90, p95]| format!("{mean} / {p90} / {p95} s"),
        )
    }
}

fn measured(load: Option<&Load>) -> String {
    let Some((load, median)) = load.and_then(|load| Some((load, load.median()?))) else {
        return "not measured | | ".to_owned();
    };
    let figures = &median.figures;
    format!(
        "{} / {} / {} | {} / {} | {}",
        time(figures.mean as u64),
        time(figures.p90),
        time(figures.p95),
        time(figures.p99),
        time(figures.p999),
        load.errors()
    )
}
