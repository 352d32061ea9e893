//! The state and the wait times of pools.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// A snapshot of a pool, or of several that share a [`Meter`]. Its fields are read in sequence, so
/// they may be slightly inconsistent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolState {
    /// Maximum number of connections. Over several pools this grows with their number.
    pub size: u32,
    /// Open connections.
    pub connections: u32,
    /// Open connections that are not in use.
    pub idle: u32,
    /// Calls waiting for a connection.
    pub waiting: u32,
    /// Calls that got no connection in time, or were refused because too many waited, since the
    /// meter was made.
    pub timeouts: u64,
}

/// Receives how long a call waited.
type Listener = Arc<dyn Fn(Duration) + Send + Sync>;

/// Counts waiting calls. Pools that come and go share one, which outlives them.
#[derive(Default)]
pub struct Meter {
    waiting: AtomicU32,
    timeouts: AtomicU64,
    listener: OnceLock<Listener>,
}

/// A call waiting for a connection, until this is dropped.
pub(crate) struct Waiting<'m> {
    meter: &'m Meter,
    since: Instant,
}

impl Meter {
    /// The waiting calls, without the connections, which each pool adds.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let (waiting, timeouts) =
            (self.waiting.load(Ordering::Relaxed), self.timeouts.load(Ordering::Relaxed));
        PoolState { size: 0, connections: 0, idle: 0, waiting, timeouts }
    }

    /// Registers a listener for how long each call waited for its connection, whether it got one or
    /// not. Calls refused without waiting are not reported. The listener runs during the call, so
    /// it must not block. Its panics are ignored. Only the first listener is kept.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        let _ = self.listener.set(listener);
    }

    /// Records that a call waits.
    pub(crate) fn wait(&self, since: Instant) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: self, since }
    }

    /// Records that a call got no connection in time, or was refused without waiting.
    pub(crate) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.meter.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(listener) = self.meter.listener.get() {
            // Its panic is reported by the panic hook, and does not cost the call its answer.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(self.since.elapsed())));
        }
    }
}
