#![doc = include_str!("../README.md")]

pub mod backlog;
pub mod breaker;
pub mod breaking;
pub mod bulkhead;
pub mod cache;
mod concert;
pub mod counter;
pub mod deadline;
pub mod failure;
pub mod guard;
pub mod observed;
pub mod queue;
pub mod retry;
mod schedule;
pub mod stack;
mod sync;
pub mod time_limit;
