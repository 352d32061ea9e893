//! The settings that an audit compares answers with.

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

/// The settings of the service, and the strictness of the verdict.
#[derive(Args, Clone, Debug)]
pub struct AuditSettings {
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

impl Default for AuditSettings {
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

/// Reads a duration such as `250ms`, `10m` or `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a duration must not be negative".to_owned())
}
