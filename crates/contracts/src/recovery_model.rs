//! A model checker for the recovery of the queue. It runs the deciding code of `domain`,
//! [`QueueState`] and [`Replica`], through all orders of joins, claims and leaves with lost stores,
//! stale copies, late messages and clock steps, and compares the results for users with the
//! promises made to them.
//!
//! [`QueueState`]: domain::queue::QueueState
//! [`Replica`]: domain::queue::Replica

mod action;
mod choices;
mod example;
mod fault;
mod invariants;
mod judge;
mod ledger;
mod model;
pub mod openings;
mod rule;
mod scene;
mod searches;
mod server;
mod traces;
mod walk;
mod world;

pub use action::{Action, Answer, INTRUDER, Seen, Shown, Stand, StoreCall};
pub use example::{Example, examples};
pub use fault::Fault;
pub use model::{Found, RecoveryModel, opened};
pub use rule::Rule;
pub use scene::{Budgets, NOTHING, Scene, brief};
pub use searches::{beginnings, hunt, searches};
pub use traces::{Tokens, Trace, TraceHarness, call, policy, quiet_traces, show, traces};
pub use walk::{Walk, breaks, run, shortest, walk};
pub use world::World;
