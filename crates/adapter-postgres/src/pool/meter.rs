//! What a pool tells of itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// A pool as it is now. Its parts are read one after the other, so two of them may be an instant apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolState {
    /// Connections, at most.
    pub size: u32,
    /// Connections that are open.
    pub connections: u32,
    /// Of these, how many are not in use.
    pub idle: u32,
    /// Questions that wait for a connection.
    pub waiting: u32,
    /// Questions that got no connection in time, or were refused because as many waited as may; since the pool was opened.
    pub timeouts: u64,
}

/// Told how long a question waited.
type Listener = Arc<dyn Fn(Duration) + Send + Sync>;

/// Counts who waits.
#[derive(Default)]
pub(super) struct Meter {
    waiting: AtomicU32,
    timeouts: AtomicU64,
    listener: OnceLock<Listener>,
}

/// A question that waits for a connection, until this is dropped.
pub(super) struct Waiting<'m> {
    meter: &'m Meter,
    since: Instant,
}

impl Meter {
    /// Notes that a question waits.
    pub(super) fn wait(&self, since: Instant) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: self, since }
    }

    /// Notes that a question got no connection in time, or may not even wait for one.
    pub(super) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    /// The first listener stays.
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
