//! Black-box tests of the adapter. One test program, so that it links only once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod claim;
mod connections;
mod failing_store;
mod lifecycle;
mod overload;
mod parts;
mod puzzle;
