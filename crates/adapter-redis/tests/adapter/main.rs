//! The adapter on real servers: a single one, a cluster of three primaries with a replica each, and
//! one watched by sentinels.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cache;
mod contract;
mod faults;
mod idle;
mod storm;
mod support;
mod tls;
