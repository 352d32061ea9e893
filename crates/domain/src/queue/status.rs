//! The status of a place, as stored and as reported to its holder.

use std::time::Duration;

use super::{Expiry, Position, QueueNumber, WaitLimit};
use crate::Timestamp;

/// The status of a place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PlaceStatus {
    /// Not called yet.
    Waiting,
    /// Called; the holder may claim until the call lapses.
    Called {
        /// When the call lapses unless it is claimed.
        until: Expiry,
    },
    /// Inside: the gated routes are open.
    Active {
        /// When the session ends.
        until: Expiry,
    },
    /// Over: the call lapsed, the session ended, or the place was released.
    Gone,
}

/// The status of a place, as reported to its holder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueStatus {
    /// The queue number.
    pub number: QueueNumber,
    /// The status of the place.
    pub place_status: PlaceStatus,
    /// Whether the status comes from a stale view; the end of a call is then unknown.
    pub is_stale: bool,
    /// People ahead plus one; 0 once called.
    pub position: Position,
    /// Estimated time until the call; zero once called.
    pub eta: Duration,
    /// The limit that determines the wait; `None` once called.
    pub wait_limit: Option<WaitLimit>,
    /// When the call or session ends, by the service's clock; `None` while waiting, or if unknown.
    pub expires_at: Option<Timestamp>,
    /// When to poll again; `None` if the place is over.
    pub poll_after: Option<Duration>,
}
