//! Where a person stands, and what they are told.

use std::time::Duration;

use super::{Expiry, Position, QueueNumber, WaitLimit};
use crate::Timestamp;

/// Where the holder of a place stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Standing {
    /// Not called yet.
    Waiting,
    /// Called, and free to claim until the call lapses.
    Called {
        /// When the call lapses unless it is claimed.
        until: Expiry,
    },
    /// Inside: the gated routes are open.
    Active {
        /// When the session ends.
        until: Expiry,
    },
    /// No longer anything: the call lapsed, the session ended, or the place was given back.
    Gone,
}

/// What a person is told about their place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Their queue number.
    pub number: QueueNumber,
    /// Where they stand.
    pub standing: Standing,
    /// Whether this is what the node last knew of a line it cannot see any more; a call's end is then not known.
    pub is_stale: bool,
    /// People ahead plus one; 0 once called.
    pub position: Position,
    /// Estimated time until the call; zero once called.
    pub eta: Duration,
    /// What makes that time as long as it is; `None` once called.
    pub wait_limit: Option<WaitLimit>,
    /// When the call or session ends, by the service's clock; `None` while waiting, and where it is not known.
    pub expires_at: Option<Timestamp>,
    /// When asking again makes sense; `None` when there is nothing left to ask about.
    pub poll_after: Option<Duration>,
}
