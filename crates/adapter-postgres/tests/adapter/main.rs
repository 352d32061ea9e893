//! The adapter on a real server. One program, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkpoints;
mod contract;
mod faults;
mod pool;
mod schema;
mod seeding;
mod setup;
mod support;
