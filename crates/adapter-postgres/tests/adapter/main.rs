//! The adapter on a real server. One test program, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checkpoints;
mod connections;
mod contract;
mod faults;
mod health;
mod importing;
mod pgbouncer;
mod pool;
mod pooler;
mod schema;
mod seeding;
mod setup;
mod support;
