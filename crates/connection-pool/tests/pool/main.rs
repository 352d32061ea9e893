//! The rules of the pool, over a server that only counts. Most tests run under a paused clock.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod closing;
mod connections;
mod down;
mod limits;
mod spans;
mod support;
