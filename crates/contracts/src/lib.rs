#![doc = include_str!("../README.md")]

pub mod cache;
pub mod checkpoint;
pub mod concert;
pub mod history;
pub mod queue;
pub mod recovery_model;
mod rule_result;
pub mod schedule;
pub mod token;

pub use rule_result::{RuleResult, Violation, ensure, ensure_eq, run_rule};
