//! The health check of the cache's Redis, and a warning if it is not set up as a cache.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bb8_redis::redis::{Value, cmd, from_redis_value};
use domain::{Dependency, HealthCheck, PortError};

use super::RedisCacheStore;
use super::connection::Request;
use super::failure::Failure;
use crate::memory_info::{RedisMemory, field};

/// The health check of the cache's Redis.
pub struct RedisCacheDependency {
    store: RedisCacheStore,
    /// Whether its settings were checked, and a warning logged if they are wrong.
    was_looked_at: AtomicBool,
}

impl RedisCacheDependency {
    /// The health check of a store.
    #[must_use]
    pub fn new(store: RedisCacheStore) -> Self {
        Self { store, was_looked_at: AtomicBool::new(false) }
    }

    /// Requests the memory reports. A server may refuse them, which is fine here.
    async fn check_memory(&self) {
        // Old servers take one section or none.
        let answers = self.store.route().query_primaries(&Request::Command(cmd("INFO"))).await;
        self.store.usage().note(RedisMemory::of_all(answers.into_iter().filter_map(memory_in)));
    }

    /// Warns about a cache that never evicts: once full, it stores nothing new. It is still usable.
    async fn check_settings(&self) {
        let mut info = cmd("INFO");
        info.arg("memory");
        let policy = match self.store.route().query_any(Request::Command(info)).await {
            Ok(answer) => policy_in(answer),
            // The operator who hides the settings is responsible for them.
            Err(Failure::Refused(_)) => None,
            Err(_) => return,
        };
        self.was_looked_at.store(true, Ordering::Relaxed);
        if policy.as_deref() == Some("noeviction") {
            tracing::warn!(
                redis.maxmemory_policy = "noeviction",
                "the cache's redis refuses copies when its memory is full: set maxmemory, and \
                 maxmemory-policy to allkeys-lfu"
            );
        }
    }
}

fn memory_in(answer: Value) -> Option<RedisMemory> {
    let text: String = from_redis_value(answer).ok()?;
    RedisMemory::in_info(&text)
}

fn policy_in(answer: Value) -> Option<String> {
    let text: String = from_redis_value(answer).ok()?;
    field(&text, "maxmemory_policy").map(str::to_owned)
}

#[async_trait]
impl HealthCheck for RedisCacheDependency {
    fn name(&self) -> Dependency {
        Dependency::CACHE_REDIS
    }

    async fn check(&self) -> Result<(), PortError> {
        let taken = match self.store.takes_copies().await {
            // It is up, but refuses some calls.
            Ok(()) | Err(Failure::Busy(_)) => Ok(()),
            Err(failure @ (Failure::NoConnection(_) | Failure::Unknown(_))) => {
                self.store.usage().forget();
                return Err(failure.into());
            }
            Err(failure) => Err(failure.into()),
        };
        if !self.was_looked_at.load(Ordering::Relaxed) {
            self.check_settings().await;
        }
        if self.store.usage().is_due() {
            self.check_memory().await;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use bb8_redis::redis::VerbatimFormat;

    use super::*;

    #[test]
    fn the_policy_is_read_from_an_info_reply() {
        let text = "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lfu\r\n\
                    mem_fragmentation_ratio:1\r\n";
        let verbatim =
            Value::VerbatimString { format: VerbatimFormat::Text, text: text.to_owned() };
        for answer in [Value::BulkString(text.into()), verbatim] {
            assert_eq!(policy_in(answer).as_deref(), Some("allkeys-lfu"));
        }
        assert_eq!(policy_in(Value::Nil), None);
    }
}
