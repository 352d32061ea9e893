#![doc = include_str!("../README.md")]

mod cache;
mod checkpoint;
mod clock;
mod concert;
mod queue;
mod schedule;
mod world;

pub use cache::MemoryCacheStore;
pub use checkpoint::MemoryCheckpoints;
pub use clock::{ManualClock, SteadyClock, SystemClock};
pub use concert::MemoryCatalog;
pub use queue::MemoryQueue;
pub use world::MemoryWorld;
