//! The mutex of this crate. Loom tests replace it to explore every interleaving.

pub(crate) use std::sync::Mutex;
