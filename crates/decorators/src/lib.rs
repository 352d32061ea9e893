#![doc = include_str!("../README.md")]

pub mod bulkhead;
pub mod cache;
mod concert;
pub mod counter;
pub mod deadline;
pub mod guard;
mod queue;
pub mod retry;
mod schedule;
pub mod time_limit;
