//! The contract suites over every layer, and over all layers together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cached;
mod guarded;
mod layers;
