//! The observable state of a breaker.

use std::time::Duration;

use super::window::Outcome;
use super::{State, Tally};

/// A breaker at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// Percentage of failed calls in the window; `None` until there are enough calls.
    pub failure_rate: Option<f64>,
    /// Percentage of slow calls in the window; `None` until there are enough calls.
    pub slow_call_rate: Option<f64>,
    /// The calls in the window.
    pub window: Tally,
    /// All calls since the breaker was created.
    pub calls: CallCounts,
    /// How long an open breaker stays open.
    pub retry_in: Option<Duration>,
    /// How many calls a half-open breaker would permit now.
    pub permits_left: Option<u32>,
}

/// Calls since the breaker was created, in all states. They only grow.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CallCounts {
    /// Succeeded, including slow calls.
    pub successful: u64,
    /// Failed, including slow calls.
    pub failed: u64,
    /// Succeeded slowly.
    pub slow_successful: u64,
    /// Failed slowly.
    pub slow_failed: u64,
    /// Failed in a way that says nothing about the dependency.
    pub ignored: u64,
    /// Not permitted.
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
