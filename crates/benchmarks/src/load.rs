//! Load from this program itself: requests at a rate or in a closed loop, and the outcome of each.

pub mod client;
pub mod outcomes;
pub mod pace;
