//! The lock of this crate. Checks of every interleaving put another in its place.

pub(crate) use std::sync::Mutex;
