//! The rendered concert list.

mod conditional;
mod pages;
mod rendered;

pub(crate) use conditional::names;
pub use pages::{ConcertPages, PageSource};
pub(crate) use rendered::ConcertBody;
pub use rendered::RenderedPage;
