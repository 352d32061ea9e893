//! The time of the connections of one worker.

use std::cell::Cell;

use tokio::time::Instant;

/// Milliseconds since its listener was made, as of the worker's last look at its connections or its
/// last new one. Reading it costs no system call.
#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    now: Cell<u64>,
}

impl Clock {
    /// A clock that began then; all workers of a listener share that moment.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, now: Cell::new(0) }
    }

    /// The time of the last look.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Moves on to the present.
    pub(super) fn look(&self) -> u64 {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.set(now);
        now
    }
}
