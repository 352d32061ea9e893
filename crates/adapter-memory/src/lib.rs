#![doc = include_str!("../README.md")]

mod clock;
mod concert;
mod queue;
mod schedule;

pub use clock::{ManualClock, SteadyClock, SystemClock};
pub use concert::MemoryCatalogue;
pub use queue::MemoryQueue;
