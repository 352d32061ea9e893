//! The permission to make one call, and the refusal.

use std::mem::ManuallyDrop;
use std::time::Duration;

use super::{Breaker, State};

/// Permission to make one call. Report the outcome with one of its methods. A dropped permit, as
/// when the caller is cancelled, is released and no outcome is recorded.
#[derive(Debug)]
#[must_use = "dropping a permit records no outcome"]
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

    /// The dependency responded, and the duration says nothing about it: a success that never
    /// counts as slow.
    pub fn answered(self, now: Duration) {
        let used = self.used();
        used.breaker.record(false, Duration::ZERO, now);
    }

    /// The call failed in a way that says nothing about the dependency.
    pub fn ignored(self) {
        let used = self.used();
        used.breaker.ignore(used.period);
    }

    /// Keeps the permit from being released on drop.
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
    /// The state that refused the call.
    pub state: State,
    /// How long the breaker stays open; a call may be permitted after that. `None` in other states.
    pub retry_in: Option<Duration>,
}
