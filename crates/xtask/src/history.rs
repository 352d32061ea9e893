//! `cargo xtask verdict FILE`: decides from the answers that clients received whether a sale was
//! fair.
//!
//! A load test records each request with its answer, one JSON object a line (see `record`). The
//! checker uses these lines alone, and no knowledge of the service's internals. It reports only
//! behaviour that no correct service can cause:
//!
//! - Times are whole milliseconds, rounded down. An answer given in one millisecond was certainly
//!   true by the next, and a request sent in one cannot have taken effect before it began.
//! - Overlapping requests may have been executed in either order.
//! - A request without an answer, or with a 5xx, may or may not have been executed.
//! - A node answers from its own view of the queue, which may lag by `stale_after`. An answer
//!   marked as older (`"stale":true`) shows a lower bound of `serving`, but no upper bound. Two
//!   nodes may differ by as much; the view of one node never moves backwards.
//!
//! It cannot see two things: a client that was cut off in the middle of a request leaves no line
//! for it, and a store that lost data may call people again. The checker is meant for sales in
//! which neither happens before everyone has left.

mod facts;
mod read;
mod record;
mod rules;
mod verdict;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use test_support::{Doing, Outcome, failed};

use self::facts::Facts;
use self::read::History;
pub(crate) use self::verdict::Verdict;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The record of the clients
    file: PathBuf,
    #[command(flatten)]
    limits: Limits,
}

/// The settings of the service, and the strictness of the verdict.
#[derive(Args, Clone, Debug)]
pub(crate) struct Limits {
    /// People called per interval; without it the rate of calling is not checked
    #[arg(long)]
    pub(crate) batch: Option<u32>,
    /// The interval
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) every: Duration,
    /// Calls and sessions at once; without it they are counted but not checked
    #[arg(long)]
    pub(crate) max_active: Option<u32>,
    /// The allowed age of a node's view of the queue
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) stale_after: Duration,
    /// One node gave all answers: its view may be stale, but never moves backwards
    #[arg(long)]
    pub(crate) one_node: bool,
    /// How long a call can be claimed
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub(crate) claim_within: Duration,
    /// How long a session lasts
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub(crate) session_ttl: Duration,
    /// Fail if a property had no case to check
    #[arg(long)]
    pub(crate) require_all: bool,
    /// Fail if a person who joined was not admitted or did not leave
    #[arg(long)]
    pub(crate) all_served: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let ten_minutes = Duration::from_secs(600);
        Self {
            batch: None,
            every: Duration::from_secs(1),
            max_active: None,
            stale_after: Duration::from_secs(1),
            one_node: false,
            claim_within: ten_minutes,
            session_ttl: ten_minutes,
            require_all: false,
            all_served: false,
        }
    }
}

pub(crate) fn verdict_of(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display();
    let file = File::open(&arguments.file).doing(format!("opening {name}"))?;
    let verdict = verdict(BufReader::new(file), &arguments.limits)?;
    print!("{}", verdict.text());
    if verdict.is_good() {
        return Ok(());
    }
    let broken = verdict.broken().join(", ");
    Err(failed(if broken.is_empty() {
        "the record cannot be read".to_owned()
    } else {
        format!("broken: {broken}")
    }))
}

/// Reads a record and checks every property. Memory grows with the number of records, not with
/// their text.
pub(crate) fn verdict(reader: impl BufRead, limits: &Limits) -> Outcome<Verdict> {
    let history = History::read(reader)?;
    let properties = rules::all(&Facts::of(&history, limits), limits);
    Ok(Verdict::new(&history, properties, limits))
}

/// Reads a whole number and its unit: `250ms`, `1s`, `10m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let milliseconds: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a whole number and one of ms, s, m, h".to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| format!("{digits:?} is not a whole number"))?;
    count.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}
