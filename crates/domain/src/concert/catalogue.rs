//! A concert, and the port that lists them.

use async_trait::async_trait;

use super::{ConcertPage, PageRequest};
use crate::PortError;
use crate::id::positive_id;

positive_id! {
    /// Names one concert.
    ConcertId, InvalidConcertId, "concert id"
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
