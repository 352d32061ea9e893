//! The port that lists concerts.

use async_trait::async_trait;

use super::{ConcertPage, PageRequest};
use crate::PortError;

/// Lists concerts in ascending order of their ids.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ConcertCatalog: Send + Sync {
    /// Returns one page of the list and the total number of concerts, both from the same moment. A
    /// page beyond the end is empty and still carries the total.
    ///
    /// # Errors
    /// [`PortError`] if the catalog could not be read.
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError>;
}
