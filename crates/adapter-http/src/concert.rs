//! The rendered concert list.

mod conditional;
mod pages;
mod rendered;

pub(crate) use conditional::names;
pub use pages::{ConcertPages, PageSource};
pub use rendered::RenderedPage;
