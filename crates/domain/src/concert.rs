//! The catalog of concerts, read a page at a time.

mod catalog;
mod page;

pub use catalog::ConcertCatalog;
#[cfg(any(test, feature = "mocks"))]
pub use catalog::MockConcertCatalog;
pub use page::{ConcertPage, InvalidPage, PageNumber, PageRequest, PageSize};

use crate::id::positive_id;

positive_id! {
    /// Identifies a concert.
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
