//! The cached clock of one worker.

use std::cell::Cell;

use tokio::time::Instant;

/// Milliseconds since the listener was created, as of the worker's last sweep, or the last
/// connection it opened or closed. Reading it costs no system call.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    now: Cell<u64>,
}

impl Clock {
    /// Creates a clock that counts from `began`, which all workers of a listener share.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, now: Cell::new(0) }
    }

    /// The cached time.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Updates the cached time and returns it.
    pub(super) fn refresh(&self) -> u64 {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.set(now);
        now
    }
}
