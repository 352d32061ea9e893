#![doc = include_str!("../README.md")]

mod address;
mod cache;
mod error;
mod joins;
mod keys;
mod link;
mod memory;
mod primary;
mod queue;
mod redis;
mod reply;
mod safety;
mod scripts;
mod steps;

pub use address::{Address, InvalidAddress};
pub use cache::{
    CachePoolSettings, CachePoolState, RedisCacheDependency, RedisCacheSettings, RedisCacheStore,
};
pub use joins::Batching;
pub use link::LinkSettings;
pub use queue::{Durability, RedisQueue, RedisQueueSettings};
pub use safety::{RedisDependency, Unsafe};
