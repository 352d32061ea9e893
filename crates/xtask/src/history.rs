//! `cargo xtask verdict FILE`: whether a sale was fair, told from what its clients were told.
//!
//! A load test writes down each request with its answer, a JSON object a line (see `record`). The checker believes these
//! lines alone and knows nothing of the inside of the service. It reports only what no correct service can have caused:
//!
//! - Times are whole milliseconds, rounded down. What was answered in a millisecond was certainly true by the next one,
//!   and what was asked in one cannot have been done before it began.
//! - Requests that overlap may have been carried out in either order.
//! - A request without an answer, or with a 5xx, may have been carried out or not.
//! - A node tells people from its own view of the line, which may be `stale_after` old. An answer that says of itself that it
//!   is older (`"stale":true`) shows how far the line had come, but not how far it had not. Two nodes may differ by as much;
//!   one alone never tells of less than it has told before.
//!
//! Two things it cannot see: a client that was cut off in the middle of a request leaves no line for it, and a store that
//! lost what it knew may call people again. It is meant for sales in which neither happens before people go home.

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
    /// What the clients wrote down
    file: PathBuf,
    #[command(flatten)]
    limits: Limits,
}

/// What the service was set to, and how strict the verdict is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Limits {
    /// People called per interval; without it the rate of calling is not checked
    #[arg(long)]
    pub(crate) batch: Option<u32>,
    /// The interval
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) every: Duration,
    /// Calls and sessions at once; without it they are counted and not checked
    #[arg(long)]
    pub(crate) max_active: Option<u32>,
    /// How old a node's view of the line may be
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) stale_after: Duration,
    /// One node answered everybody: its view may be old, but never goes back
    #[arg(long)]
    pub(crate) one_node: bool,
    /// How long a call stands
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub(crate) claim_within: Duration,
    /// How long a session lasts
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub(crate) session_ttl: Duration,
    /// Fail when there was nothing to check a property on
    #[arg(long)]
    pub(crate) require_all: bool,
    /// Fail when somebody who joined was not let in or did not leave
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

/// Reads a record and checks every property. Takes memory for each record, not for its text.
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
        _ => return Err("a length of time is a whole number and one of ms, s, m, h".to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| format!("{digits:?} is no whole number"))?;
    count.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}
