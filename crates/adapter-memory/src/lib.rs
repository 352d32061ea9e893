#![doc = include_str!("../README.md")]

mod cache;
mod checkpoint;
mod clock;
mod concert;
mod queue;
mod schedule;

pub use cache::MemoryCacheStore;
pub use checkpoint::MemoryCheckpoints;
pub use clock::{ManualClock, SteadyClock, SystemClock};
pub use concert::MemoryCatalog;
pub use queue::MemoryQueue;
