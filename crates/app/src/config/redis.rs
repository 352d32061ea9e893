//! `[redis]`: the deployments of Redis, each for one purpose.

mod cache;
mod queue;

pub use cache::{RedisCachePoolSection, RedisCacheSection};
pub use queue::{RedisQueueSection, WhenUnsafe};

use serde::{Deserialize, Serialize};

/// The deployments of Redis, each for one purpose: what keeps the line must keep everything, what keeps copies must forget.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSection {
    /// The one that keeps the line.
    pub queue: RedisQueueSection,
    /// The one that keeps copies of answers.
    pub cache: RedisCacheSection,
}
