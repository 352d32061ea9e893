//! The rendered dates of a concert.

mod dates;

pub(crate) use dates::DateBody;
pub use dates::{ConcertDates, DateSource, RenderedDates};
