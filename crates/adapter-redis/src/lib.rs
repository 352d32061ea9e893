#![doc = include_str!("../README.md")]

mod address;
mod cache;
mod error;
mod joins;
mod keys;
mod link;
mod primary;
mod probe;
mod queue;
mod redis;
mod replay;
mod reply;
mod role;
mod safety;
mod scripts;
mod settings;
mod steps;
mod usage;

pub use address::{Address, InvalidAddress};
pub use cache::{
    CachePoolSettings, CachePoolState, CacheSigner, RedisCacheDependency, RedisCacheSettings,
    RedisCacheStore,
};
pub use joins::{Batching, QueueLoad};
pub use link::LinkSettings;
pub use queue::RedisQueue;
pub use safety::{RedisDependency, Unsafe};
pub use settings::{Durability, RedisQueueSettings};
pub use usage::RedisMemory;
