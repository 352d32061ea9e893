//! Every rule is seen to fail on a store that was broken on purpose, and to hold on the same store unbroken.

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
