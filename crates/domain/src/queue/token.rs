//! A place in the queue, and the signed token for it.

use std::fmt;

use super::{Incarnation, QueueId, QueueNumber, UserId};
use crate::Timestamp;

/// A place in the queue: the claims of a waiting person's token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenClaims {
    /// The queue the place is in.
    pub queue: QueueId,
    /// The incarnation of the queue that issued it.
    pub incarnation: Incarnation,
    /// The number issued at joining.
    pub number: QueueNumber,
    /// The user who holds the place.
    pub user: UserId,
    /// When the token was signed, to the millisecond.
    pub issued_at: Timestamp,
}

/// The content of a token that matters to a store: the number and its incarnation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shown {
    /// The incarnation that issued the number.
    pub incarnation: Incarnation,
    /// The number.
    pub number: QueueNumber,
}

impl From<&TokenClaims> for Shown {
    fn from(place: &TokenClaims) -> Self {
        Self { incarnation: place.incarnation, number: place.number }
    }
}

/// The signed text a person holds; it *is* the place in the queue. Opaque here, and kept out of
/// debug output because a holder of the text holds the place.
#[derive(Clone, Eq, PartialEq)]
pub struct WaitingToken(String);

impl WaitingToken {
    /// Wraps a text from a [`TokenSigner`](super::TokenSigner).
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text to send to the client.
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
