#![doc = include_str!("../README.md")]

pub mod cache;
pub mod checkpoint;
pub mod concert;
pub mod history;
pub mod queue;
pub mod recovery_model;
pub mod schedule;
pub mod token;
mod verdict;

#[doc(hidden)]
pub use tokio;
pub use verdict::{Verdict, Violation, ensure, ensure_eq};
