//! A model checker for the recovery of the queue. It runs the deciding code of `domain`,
//! [`QueueState`] and [`Replica`], through all orders of joins, claims and leaves with lost stores,
//! stale copies, late messages and clock steps, and compares the results for users with the
//! promises made to them.
//!
//! [`QueueState`]: domain::queue::QueueState
//! [`Replica`]: domain::queue::Replica

mod action;
mod choices;
mod comparison;
mod example;
mod fault;
mod initial_state;
mod invariants;
mod ledger;
mod model;
pub mod opening_actions;
mod random_runs;
mod rule;
mod run_state;
mod searches;
mod server;
mod traces;

pub use action::{Action, Answer, INTRUDER, Seen, Shown, Stand, StoreCall};
pub use example::{Example, examples};
pub use fault::Fault;
pub use initial_state::{Budgets, NOTHING, Scene, brief};
pub use model::{Found, RecoveryModel, opened};
pub use random_runs::{Walk, breaks, run, shortest, walk};
pub use rule::Rule;
pub use run_state::World;
pub use searches::{beginnings, hunt, searches};
pub use traces::{Tokens, Trace, TraceHarness, call, policy, quiet_traces, show, traces};
