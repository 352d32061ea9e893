//! Load from this program itself: questions that are due at a rate, or follow each other, and what came of each.

pub(crate) mod client;
pub(crate) mod pace;
pub(crate) mod seen;
