//! The state and the wait times of a pool.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// A snapshot of the pool. Its fields are read in sequence, so they may be slightly inconsistent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolState {
    /// Maximum number of connections.
    pub size: u32,
    /// Open connections.
    pub connections: u32,
    /// Open connections that are not in use.
    pub idle: u32,
    /// Calls waiting for a connection.
    pub waiting: u32,
    /// Calls that got no connection in time, or were refused because too many waited, since the
    /// pool was opened.
    pub timeouts: u64,
}

/// Receives how long a call waited.
type Listener = Arc<dyn Fn(Duration) + Send + Sync>;

/// Counts waiting calls.
#[derive(Default)]
pub(super) struct Meter {
    waiting: AtomicU32,
    timeouts: AtomicU64,
    listener: OnceLock<Listener>,
}

/// A call waiting for a connection, until this is dropped.
pub(super) struct Waiting<'m> {
    meter: &'m Meter,
    since: Instant,
}

impl Meter {
    /// Records that a call waits.
    pub(super) fn wait(&self, since: Instant) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: self, since }
    }

    /// Records that a call got no connection in time, or was refused without waiting.
    pub(super) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    /// Only the first listener is kept.
    pub(super) fn listen(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(listener) = self.meter.listener.get() {
            listener(self.since.elapsed());
        }
        self.meter.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
