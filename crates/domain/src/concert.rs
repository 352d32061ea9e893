//! The catalogue of concerts, read a page at a time.

mod catalogue;
mod page;

pub use catalogue::{Concert, ConcertCatalog, ConcertId, InvalidConcertId};
pub use page::{ConcertPage, InvalidPage, PageNumber, PageRequest, PageSize};
