//! The cache, in one process and on several nodes, with a source that answers, fails, hangs and
//! panics on demand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local;
mod nodes;
mod store;
mod support;
