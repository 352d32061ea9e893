//! What a breaker says of itself.

use std::time::Duration;

use super::window::Outcome;
use super::{State, Tally};

/// A breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// Failed calls in percent of those in the window; not known until there are enough.
    pub failure_rate: Option<f64>,
    /// Slow calls in percent of those in the window; not known until there are enough.
    pub slow_call_rate: Option<f64>,
    /// The calls in the window.
    pub window: Tally,
    /// All calls since the breaker was made.
    pub calls: CallCounts,
    /// Of an open breaker: how long it stays open.
    pub retry_in: Option<Duration>,
    /// Of a half-open breaker: how many calls it would let through now.
    pub permits_left: Option<u32>,
}

/// Calls since the breaker was made, in all states. They only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CallCounts {
    /// Succeeded, the slow ones among them.
    pub successful: u64,
    /// Failed, the slow ones among them.
    pub failed: u64,
    /// Succeeded slowly.
    pub slow_successful: u64,
    /// Failed slowly.
    pub slow_failed: u64,
    /// Failed in a way that says nothing about the dependency.
    pub ignored: u64,
    /// Not let through.
    pub not_permitted: u64,
}

impl CallCounts {
    pub(super) const fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.successful += 1,
            Outcome::Error => self.failed += 1,
            Outcome::SlowSuccess => {
                self.successful += 1;
                self.slow_successful += 1;
            }
            Outcome::SlowError => {
                self.failed += 1;
                self.slow_failed += 1;
            }
        }
    }
}
