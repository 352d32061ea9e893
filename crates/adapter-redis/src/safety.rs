//! Whether a Redis is one that a queue can be kept in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use domain::{Dependency, PortError, PortErrorKind};
use fred::types::Value;

use crate::error::{Failure, QUEUE_REDIS};
use crate::queue::RedisQueue;
use crate::usage::RedisMemory;

/// Why a Redis must not keep a queue; each is one line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unsafe {
    /// Full memory would cost places.
    #[error(
        "the queue's redis would evict keys when its memory is full (maxmemory-policy {0}): set it to noeviction"
    )]
    Evicts(String),
    /// A restart would cost everything.
    #[error(
        "the queue's redis keeps nothing over a restart: set appendonly yes, or at least a save schedule"
    )]
    Forgets,
    /// The scripts need more.
    #[error(
        "the queue's redis is version {0}: 7.0 is the oldest that will do (Valkey of any version does)"
    )]
    TooOld(String),
    /// Joins cannot be written there.
    #[error(
        "the queue's redis at {0} is a replica: redis.queue.url must name the primary, its sentinels or its cluster"
    )]
    Replica(String),
    /// It does not let us in, or not do what is needed.
    #[error("the queue's redis refuses: {0}")]
    Refuses(String),
    /// It could not be asked.
    #[error("the queue's redis cannot be asked: {0}")]
    Unknown(String),
}

impl Unsafe {
    /// Whether waiting may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl From<Failure> for Unsafe {
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
    /// Whether the server is one a queue can be kept in.
    ///
    /// # Errors
    /// [`Unsafe`], the first that applies.
    pub async fn check_safety(&self) -> Result<(), Unsafe> {
        let info = Info::of(self).await?;
        let version = info.get("redis_version");
        if !will_do(version, info.get("valkey_version")) {
            return Err(Unsafe::TooOld(version.to_owned()));
        }
        let policy = info.get("maxmemory_policy");
        if policy != "noeviction" {
            return Err(Unsafe::Evicts(policy.to_owned()));
        }
        if info.get("aof_enabled") != "1" && !self.saves().await? {
            return Err(Unsafe::Forgets);
        }
        Ok(())
    }

    /// Whether snapshots are made by themselves. A server that does not tell its configuration is run by somebody who
    /// sees to that.
    async fn saves(&self) -> Result<bool, Unsafe> {
        match self.redis().ask("CONFIG", vec![Value::from("GET"), Value::from("save")]).await {
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
    /// Whether a join would be taken now.
    async fn takes_joins(&self) -> Result<(), Failure> {
        let (taken, ()) = tokio::join!(self.probe().run(self.redis()), self.look_at_memory());
        if matches!(taken, Err(Failure::NoConnection(_) | Failure::Unknown(_))) {
            self.usage().forget();
        }
        taken
    }

    /// Asks now and then what the server says of its memory, which it does also where it takes no
    /// joins, and first of all where that is full.
    async fn look_at_memory(&self) {
        if !self.usage().is_due() {
            return;
        }
        match self.redis().ask("INFO", Vec::new()).await {
            Ok(info) => {
                self.usage().note(RedisMemory::in_info(&info.as_string().unwrap_or_default()))
            }
            // Somebody who does not let us see its memory sees to it.
            Err(Failure::Refused(_) | Failure::Rejected(_)) => self.usage().note(None),
            Err(_) => self.usage().forget(),
        }
    }
}

const OLDEST_MAJOR: u32 = 7;

/// Whether the scripts run on it; a Valkey says which it is, and calls itself an old Redis besides.
fn will_do(redis_version: &str, valkey_version: &str) -> bool {
    let major = redis_version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    !valkey_version.is_empty() || major.is_some_and(|major| major >= OLDEST_MAJOR)
}

/// What `INFO` says.
struct Info(HashMap<String, String>);

impl Info {
    async fn of(queue: &RedisQueue) -> Result<Self, Unsafe> {
        let text = queue.redis().ask("INFO", Vec::new()).await?.as_string().unwrap_or_default();
        let pair = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        };
        Ok(Self(text.lines().filter_map(pair).collect()))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The queue's Redis as something the service depends on. It is there when it takes joins: a check
/// writes as they do, so that none says yes where people are told no.
pub struct RedisDependency {
    queue: Arc<RedisQueue>,
    /// One that was down at the start may come up unsafe.
    is_known_safe: AtomicBool,
    refuses: bool,
}

impl RedisDependency {
    /// The dependency behind a queue; with `refuses`, one that is not safe counts as down.
    #[must_use]
    pub fn new(queue: Arc<RedisQueue>, refuses: bool) -> Self {
        Self { queue, is_known_safe: AtomicBool::new(false), refuses }
    }
}

#[async_trait]
impl Dependency for RedisDependency {
    fn name(&self) -> &'static str {
        QUEUE_REDIS
    }

    async fn check(&self) -> Result<(), PortError> {
        if self.refuses && !self.is_known_safe.load(Ordering::Relaxed) {
            let checked = self.queue.check_safety().await;
            checked.map_err(|error| {
                PortError::new(PortErrorKind::Unavailable, QUEUE_REDIS).because(error)
            })?;
            self.is_known_safe.store(true, Ordering::Relaxed);
        }
        Ok(self.queue.takes_joins().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_will_do_from_7_0_on_and_valkey_always() {
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
    fn what_is_wrong_says_what_to_do() {
        let evicts = Unsafe::Evicts("allkeys-lru".to_owned()).to_string();
        assert!(evicts.contains("allkeys-lru") && evicts.contains("noeviction"), "{evicts}");
        assert!(Unsafe::Forgets.to_string().contains("appendonly yes"));
        assert!(Unsafe::TooOld("6.2.14".to_owned()).to_string().contains("6.2.14"));
    }
}
