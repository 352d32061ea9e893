//! The contract suites over every layer, and over all of them together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cached;
mod guarded;
mod layers;
