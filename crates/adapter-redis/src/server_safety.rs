//! Whether a Redis is safe for keeping a queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use domain::{Dependency, HealthCheck, PortError, PortErrorKind};
use fred::types::Value;

use crate::error::Failure;
use crate::memory_info::RedisMemory;
use crate::queue::RedisQueue;

/// Why a Redis must not keep a queue. Each message is one line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnsafeConfig {
    /// Full memory would cost users their places.
    #[error(
        "the queue's redis would evict keys when its memory is full (maxmemory-policy {0}): \
         set it to noeviction"
    )]
    Evicts(String),
    /// A restart would lose the queue.
    #[error(
        "the queue's redis keeps nothing over a restart: set appendonly yes, or \
         at least a save schedule"
    )]
    Forgets,
    /// The scripts need a newer version.
    #[error(
        "the queue's redis is version {0}: Redis 7.0 or newer is required (any \
         version of Valkey works)"
    )]
    TooOld(String),
    /// A replica takes no joins.
    #[error(
        "the queue's redis at {0} is a replica: redis.queue.url must name the \
         primary, its sentinels or its cluster"
    )]
    Replica(String),
    /// The server denies access or a needed command.
    #[error("the queue's redis refuses: {0}")]
    Refuses(String),
    /// The check got no answer.
    #[error("the queue's redis cannot be checked: {0}")]
    Unknown(String),
}

impl UnsafeConfig {
    /// Whether waiting may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl From<Failure> for UnsafeConfig {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Replica(node) => Self::Replica(node),
            Failure::Refused(said) | Failure::Rejected(said) => Self::Refuses(said),
            failure @ (Failure::NotPrimary(_)
            | Failure::NotYet(_)
            | Failure::NoScript
            | Failure::NoConnection(_)
            | Failure::Busy
            | Failure::Unknown(_)
            | Failure::NotReplicated
            | Failure::Corrupt(_)) => Self::Unknown(failure.to_string()),
        }
    }
}

impl RedisQueue {
    /// Whether the server is safe for keeping a queue.
    ///
    /// # Errors
    /// The first [`UnsafeConfig`] that applies.
    pub async fn check_safety(&self) -> Result<(), UnsafeConfig> {
        let info = Info::of(self).await?;
        let version = info.get("redis_version");
        if !will_do(version, info.get("valkey_version")) {
            return Err(UnsafeConfig::TooOld(version.to_owned()));
        }
        let policy = info.get("maxmemory_policy");
        if policy != "noeviction" {
            return Err(UnsafeConfig::Evicts(policy.to_owned()));
        }
        if info.get("aof_enabled") != "1" && !self.saves().await? {
            return Err(UnsafeConfig::Forgets);
        }
        Ok(())
    }

    /// Whether the server takes snapshots on a schedule. If it hides its configuration, this trusts
    /// its operator.
    async fn saves(&self) -> Result<bool, UnsafeConfig> {
        match self.redis().send("CONFIG", vec![Value::from("GET"), Value::from("save")]).await {
            Ok(Value::Array(pair)) => {
                Ok(pair.get(1).and_then(Value::as_string).is_some_and(|s| !s.is_empty()))
            }
            Ok(_) | Err(Failure::Refused(_) | Failure::Rejected(_) | Failure::Unknown(_)) => {
                Ok(true)
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

impl RedisQueue {
    /// Whether the server would take a join now.
    async fn takes_joins(&self) -> Result<(), Failure> {
        let (taken, ()) = tokio::join!(self.probe().run(self.redis()), self.refresh_memory());
        if matches!(taken, Err(Failure::NoConnection(_) | Failure::Unknown(_))) {
            self.usage().forget();
        }
        taken
    }

    /// Requests the server's memory report if it is due. This works even if the server takes no
    /// joins, and matters most if that is because its memory is full.
    async fn refresh_memory(&self) {
        if !self.usage().is_due() {
            return;
        }
        match self.redis().send("INFO", Vec::new()).await {
            Ok(info) => {
                self.usage().note(RedisMemory::in_info(&info.as_string().unwrap_or_default()));
            }
            // The operator who hides this report watches the memory.
            Err(Failure::Refused(_) | Failure::Rejected(_)) => self.usage().note(None),
            Err(_) => self.usage().forget(),
        }
    }
}

const OLDEST_MAJOR: u32 = 7;

/// Whether the scripts run on this version. Valkey reports its own version, and an old Redis
/// version as well.
fn will_do(redis_version: &str, valkey_version: &str) -> bool {
    let major = redis_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    !valkey_version.is_empty() || major.is_some_and(|major| major >= OLDEST_MAJOR)
}

/// The fields of an `INFO` reply.
struct Info(HashMap<String, String>);

impl Info {
    async fn of(queue: &RedisQueue) -> Result<Self, UnsafeConfig> {
        let text = queue.redis().send("INFO", Vec::new()).await?.as_string().unwrap_or_default();
        let pair = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        };
        Ok(Self(text.lines().filter_map(pair).collect()))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The health check of the queue's Redis. The check writes as joins do, so it fails whenever joins
/// would.
pub struct RedisDependency {
    queue: Arc<RedisQueue>,
    /// Whether the server's configuration was checked. A server that was down at startup may come
    /// up with an unsafe one.
    is_checked: AtomicBool,
    refuses: bool,
}

impl RedisDependency {
    /// The health check of a queue. With `refuses`, an unsafe server counts as down; otherwise it is
    /// warned of, once.
    #[must_use]
    pub fn new(queue: Arc<RedisQueue>, refuses: bool) -> Self {
        Self { queue, is_checked: AtomicBool::new(false), refuses }
    }

    /// The same, for a server whose configuration was checked and reported before.
    #[must_use]
    pub fn already_checked(mut self) -> Self {
        *self.is_checked.get_mut() = true;
        self
    }

    /// Checks the server's configuration until there is a result.
    async fn check_configuration(&self) -> Result<(), PortError> {
        match self.queue.check_safety().await {
            Ok(()) => {}
            Err(error) if self.refuses => {
                return Err(
                    PortError::new(PortErrorKind::Unavailable, Dependency::REDIS).because(error)
                );
            }
            Err(error) if error.is_transient() => return Ok(()),
            Err(error) => tracing::warn!("{error}"),
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl HealthCheck for RedisDependency {
    fn name(&self) -> Dependency {
        Dependency::REDIS
    }

    async fn check(&self) -> Result<(), PortError> {
        if !self.is_checked.load(Ordering::Relaxed) {
            self.check_configuration().await?;
        }
        Ok(self.queue.takes_joins().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_is_accepted_from_7_0_on_and_valkey_always() {
        for (redis, valkey) in
            [("7.0.0", ""), ("7.4.1", ""), ("8.0.0", ""), ("10.2.1", ""), ("7.2.4", "8.0.1")]
        {
            assert!(will_do(redis, valkey), "{redis} {valkey}");
        }
        for old in ["6.2.14", "6.9.9", "3.0", "", "unstable"] {
            assert!(!will_do(old, ""), "{old}");
        }
    }

    #[test]
    fn each_error_names_the_remedy() {
        let evicts = UnsafeConfig::Evicts("allkeys-lru".to_owned()).to_string();
        assert!(evicts.contains("allkeys-lru") && evicts.contains("noeviction"), "{evicts}");
        assert!(UnsafeConfig::Forgets.to_string().contains("appendonly yes"));
        assert!(UnsafeConfig::TooOld("6.2.14".to_owned()).to_string().contains("6.2.14"));
    }
}
