#![doc = include_str!("../README.md")]

pub mod breaker;
pub mod breaker_layer;
pub mod bulkhead;
pub mod cache;
mod concert;
pub mod counter;
pub mod deadline;
pub mod failure;
pub mod instrumented;
pub mod layer;
pub mod layer_stack;
pub mod queue;
pub mod registry;
pub mod retry;
mod schedule;
mod sync;
pub mod timeout;
pub mod wait_queue;
