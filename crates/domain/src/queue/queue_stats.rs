//! A node's view of its queue, for monitoring.

use std::time::Duration;

use super::{OutcomeCounts, QueueCounters};
use crate::Timestamp;

/// A node's view of its queue. Its fields are read in sequence, so they may differ by an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueStats {
    /// The counters of the queue.
    pub counters: QueueCounters,
    /// People who wait for their call, without abandoned numbers.
    pub waiting: u64,
    /// Open calls, as of the last tick.
    pub called: u64,
    /// Running sessions, as of the last tick.
    pub active: u64,
    /// Whether the store may have lost data and has paused calling, as of the last tick.
    pub recovers: bool,
    /// Whether this node may issue numbers, as of the last tick.
    pub may_join: bool,
    /// Counts of joins, claims, lapses, releases and ends, as of the last tick.
    pub outcomes: OutcomeCounts,
    /// The age of the view; `None` before the first tick.
    pub age: Option<Duration>,
    /// The age from which responses are marked stale and admission stops.
    pub stale_after: Duration,
    /// The most calls and sessions at once.
    pub max_active: u32,
    /// When the last successful tick began, by the clock of the service; `None` before the first.
    pub last_step: Option<Timestamp>,
    /// People called by the ticks of this node so far, without those called by joins.
    pub people_called: u64,
}
