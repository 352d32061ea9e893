//! A place in line, and the signed text that is one.

use std::fmt;

use super::{Incarnation, QueueId, QueueNumber, UserId};
use crate::Timestamp;

/// A place in line: everything a waiting person's token says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The queue the place is in.
    pub queue: QueueId,
    /// The life of that queue it was given in.
    pub incarnation: Incarnation,
    /// The number given at joining.
    pub number: QueueNumber,
    /// Whose place it is.
    pub user: UserId,
    /// When the token that says so was signed, to the millisecond.
    pub issued_at: Timestamp,
}

/// The signed text a person holds; it *is* the place in line. Opaque here, and kept out of debug output because
/// whoever reads it owns the place.
#[derive(Clone, Eq, PartialEq)]
pub struct WaitingToken(String);

impl WaitingToken {
    /// Wraps a text that a [`TokenSealer`](super::TokenSealer) made.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text to hand out.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WaitingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitingToken(…)")
    }
}
