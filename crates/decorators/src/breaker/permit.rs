//! The right to make one call, and the answer when there is none.

use std::mem::ManuallyDrop;
use std::time::Duration;

use super::{Breaker, State};

/// The right to make one call. Say what became of it; dropped without a word, as by a caller who went away, it is given
/// back and nothing is recorded.
#[derive(Debug)]
#[must_use = "a permit that is dropped lets no call be counted"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    period: u64,
    acquired: Duration,
}

impl<'a> Permit<'a> {
    pub(super) const fn new(breaker: &'a Breaker, period: u64, acquired: Duration) -> Self {
        Self { breaker, period, acquired }
    }

    /// The call succeeded.
    pub fn succeeded(self, now: Duration) {
        self.used().record(false, now);
    }

    /// The call failed.
    pub fn failed(self, now: Duration) {
        self.used().record(true, now);
    }

    /// The dependency answered, and how long that took says nothing about it: a success that is
    /// never slow.
    pub fn answered(self, now: Duration) {
        let used = self.used();
        used.breaker.record(false, Duration::ZERO, now);
    }

    /// The call failed in a way that says nothing about the dependency.
    pub fn ignored(self) {
        let used = self.used();
        used.breaker.ignore(used.period);
    }

    /// No longer given back when it goes.
    fn used(self) -> ManuallyDrop<Self> {
        ManuallyDrop::new(self)
    }

    fn record(&self, failed: bool, now: Duration) {
        self.breaker.record(failed, now.saturating_sub(self.acquired), now);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.release(self.period);
    }
}

/// The call must not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not permitted: the circuit breaker is {state}")]
pub struct NotPermitted {
    /// The state that did not let it through.
    pub state: State,
    /// How long the breaker stays open; after that a call may be let through. Not known in other states.
    pub retry_in: Option<Duration>,
}
