//! Metrics of the cache's pools.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// A snapshot of the cache's connections: to its server or, on a cluster, to all its primaries
/// together. The fields are read in turn, so they may be an instant apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePoolState {
    /// Maximum connections. On a cluster this grows with the primaries in use.
    pub size: u32,
    /// Open connections.
    pub connections: u32,
    /// Idle connections among them.
    pub idle: u32,
    /// Calls that wait for a connection.
    pub waiting: u32,
    /// Calls that got no connection in time, or were refused because too many were waiting; since
    /// the cache was opened.
    pub timeouts: u64,
}

/// Called with the time a call waited.
type Listener = Arc<dyn Fn(Duration) + Send + Sync>;

/// Counts waiting calls over all pools, since those of a cluster come and go.
#[derive(Default)]
pub(in crate::cache) struct Meter {
    waiting: AtomicU32,
    timeouts: AtomicU64,
    listener: OnceLock<Listener>,
}

/// A call that waits for a connection, until this is dropped.
pub(super) struct Waiting<'m> {
    meter: &'m Meter,
    since: Instant,
}

impl Meter {
    /// Notes that a call waits.
    pub(super) fn wait(&self, since: Instant) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: self, since }
    }

    /// Notes that a call got no connection in time, or was refused without waiting.
    pub(super) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// The waiting calls, without connections.
    pub(in crate::cache) fn state(&self) -> CachePoolState {
        let (waiting, timeouts) =
            (self.waiting.load(Ordering::Relaxed), self.timeouts.load(Ordering::Relaxed));
        CachePoolState { size: 0, connections: 0, idle: 0, waiting, timeouts }
    }

    /// Only the first listener is kept.
    pub(in crate::cache) fn listen(&self, listener: Listener) {
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
