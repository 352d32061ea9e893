//! Load from this program itself: requests at a rate or in a closed loop, and the outcome of each.

pub(crate) mod client;
pub(crate) mod pace;
pub(crate) mod seen;
