//! Checks that every rule fails on a store with a seeded fault and holds on the same store without
//! it.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "each match names the faults it plants")]

#[path = "mutants/cache.rs"]
mod cache;
#[path = "mutants/checkpoint.rs"]
mod checkpoint;
#[path = "mutants/queue.rs"]
mod queue;
#[path = "mutants/reads.rs"]
mod reads;
#[path = "mutants/token.rs"]
mod token;
