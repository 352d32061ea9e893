//! The lifecycle of the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A phase of the program; it only moves forward.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Not ready for traffic yet.
    Starting,
    /// Serving.
    Serving,
    /// Stopping: still serving, but closing each connection after its next response.
    Draining,
}

/// The current phase. Clones share it, and reading it is one atomic load.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<AtomicU8>);

impl Lifecycle {
    /// Moves forward to `phase`; moving back has no effect.
    pub fn enter(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// The current phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }
}
