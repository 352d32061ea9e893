//! The settings that an audit compares answers with.

use std::time::Duration;

use clap::Args;

/// The settings of the service, and the strictness of the verdict.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// People called per interval; without it the rate of calling is not checked
    #[arg(long)]
    pub batch: Option<u32>,
    /// The interval
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub every: Duration,
    /// Calls and sessions at once; without it they are counted but not checked
    #[arg(long)]
    pub max_active: Option<u32>,
    /// The allowed age of a node's view of the queue
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub stale_after: Duration,
    /// One node gave all answers: its view may be stale, but never moves backwards
    #[arg(long)]
    pub one_node: bool,
    /// How long a call can be claimed
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub claim_within: Duration,
    /// How long a session lasts
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub session_ttl: Duration,
    /// Fail if a property had no case to check
    #[arg(long)]
    pub require_all: bool,
    /// Fail if a person who joined was not admitted or did not leave
    #[arg(long)]
    pub all_served: bool,
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

/// Reads a whole number and its unit: `250ms`, `1s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
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
