#![doc = include_str!("../README.md")]

mod cache;
mod checkpoint;
mod clock;
mod concert;
mod memory_world;
mod queue;
mod schedule;

pub use cache::MemoryCacheStore;
pub use checkpoint::MemoryCheckpoints;
pub use clock::{ManualClock, SteadyClock, SystemClock};
pub use concert::MemoryCatalog;
pub use memory_world::MemoryWorld;
pub use queue::MemoryQueue;
