//! Where the program is between its start and its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A phase of the program's life; it only moves forward.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// Not ready for traffic yet.
    Starting,
    /// Serving.
    Serving,
    /// Told to stop: still serving, but asking everybody to go elsewhere.
    Draining,
}

/// The current phase, shared by everything that must know it. Reading is one atomic load.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<AtomicU8>);

impl Lifecycle {
    /// Moves on to `phase`; moving back does nothing.
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
