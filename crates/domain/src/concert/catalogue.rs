//! A concert, and the port that lists them.

use std::fmt;

use async_trait::async_trait;

use super::{ConcertPage, PageRequest};
use crate::PortError;

/// Names one concert: 1 to 2^63 - 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConcertId(u64);

/// A text or integer that is no concert id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a concert id is a whole number from 1 to {}, in decimal digits", ConcertId::MAX)]
pub struct InvalidConcertId;

impl ConcertId {
    /// The highest id.
    pub const MAX: u64 = i64::MAX as u64;

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidConcertId`] for 0 and for anything above [`ConcertId::MAX`].
    pub fn new(value: u64) -> Result<Self, InvalidConcertId> {
        if value == 0 || value > Self::MAX { Err(InvalidConcertId) } else { Ok(Self(value)) }
    }

    /// Reads an id in decimal digits, without sign or leading zero.
    ///
    /// # Errors
    /// [`InvalidConcertId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidConcertId> {
        if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidConcertId);
        }
        text.parse().map_err(|_| InvalidConcertId).and_then(Self::new)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConcertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A concert as the list shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Concert {
    /// Its id.
    pub id: ConcertId,
    /// Its title.
    pub title: String,
    /// Where it takes place.
    pub place: String,
}

/// Lists concerts, in ascending order of their ids.
#[async_trait]
pub trait ConcertCatalog: Send + Sync {
    /// One page of the list and how many concerts there are in all, both as of one moment. A page beyond the end is
    /// empty and still says how many there are.
    ///
    /// # Errors
    /// [`PortError`] when the catalogue could not be read.
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError>;
}
