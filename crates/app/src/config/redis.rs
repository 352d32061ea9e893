//! `[redis]`: the Redis deployments, one for each purpose.

mod access;
mod cache;
mod queue;

pub use access::{RedisSentinelSection, RedisTlsSection};
pub use cache::{RedisCachePoolSection, RedisCacheSection};
pub use queue::{RedisQueueSection, WhenUnsafe};

use serde::{Deserialize, Serialize};

/// The Redis deployments, one for each purpose: the queue must keep every key, a cache must evict.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSection {
    /// The deployment of the queue.
    pub queue: RedisQueueSection,
    /// The deployment of the cache.
    pub cache: RedisCacheSection,
}
