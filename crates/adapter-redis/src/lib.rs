#![doc = include_str!("../README.md")]

mod address;
mod cache;
mod connection;
mod error;
mod find_primary;
mod join_batcher;
mod keys;
mod memory_info;
mod probe;
mod queue;
mod queue_client;
mod queue_reply;
mod queue_scripts;
mod replay;
mod role;
mod scripts;
mod server_safety;
mod settings;
mod tls;

pub use address::{InvalidRedisAddress, RedisAddress};
pub use cache::{
    CachePoolSettings, CacheSigner, RedisCacheDependency, RedisCacheSettings, RedisCacheStore,
};
pub use connection::ConnectionSettings;
pub use connection_pool::PoolState;
pub use join_batcher::{Batching, QueueLoad};
pub use memory_info::RedisMemory;
pub use queue::RedisQueue;
pub use server_safety::{RedisDependency, UnsafeConfig};
pub use settings::{Durability, RedisQueueSettings};
pub use tls::{InvalidTls, RedisTls, TlsFiles};
