//! The rendered dates of a concert.

mod dates;

pub use dates::{ConcertDates, DateSource, RenderedDates};
