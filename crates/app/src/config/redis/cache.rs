//! `[redis.cache]`: the Redis of the cache, which the queue must not share.

use adapter_redis::{CachePoolSettings, RedisAddress, RedisCacheSettings};
use serde::{Deserialize, Serialize};

use super::access::{RedisSentinelSection, RedisTlsSection, parse, secured};
use crate::config::{ConfigDuration, ConfigError, KeyDoc, Secret, between, invalid, require};

/// The Redis of the cache.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RedisCacheSection {
    pub url: Secret,
    pub prefix: String,
    pub max_entry_bytes: u32,
    pub connect_timeout: ConfigDuration,
    pub timeout: ConfigDuration,
    pub tls: RedisTlsSection,
    pub sentinel: RedisSentinelSection,
    pub pool: RedisCachePoolSection,
}

/// Its connection pool.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RedisCachePoolSection {
    pub size: u32,
    pub min_idle: u32,
    pub acquire_timeout: ConfigDuration,
    pub max_waiting: u32,
    pub idle_timeout: ConfigDuration,
    pub max_lifetime: ConfigDuration,
}

impl Default for RedisCacheSection {
    fn default() -> Self {
        let settings = RedisCacheSettings::default();
        Self {
            url: Secret::new(String::new()),
            max_entry_bytes: u32::try_from(settings.max_entry_bytes).unwrap_or(u32::MAX),
            prefix: settings.prefix,
            connect_timeout: ConfigDuration(settings.pool.connect),
            timeout: ConfigDuration(settings.pool.answer),
            tls: RedisTlsSection::default(),
            sentinel: RedisSentinelSection::default(),
            pool: RedisCachePoolSection::default(),
        }
    }
}

impl Default for RedisCachePoolSection {
    fn default() -> Self {
        let pool = CachePoolSettings::default();
        Self {
            size: pool.size,
            min_idle: pool.min_idle,
            acquire_timeout: ConfigDuration(pool.acquire),
            max_waiting: pool.max_waiting,
            idle_timeout: ConfigDuration(pool.idle),
            max_lifetime: ConfigDuration(pool.lifetime),
        }
    }
}

impl RedisCacheSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "url",
            meaning: "`redis://[user:password@]host:port[/database]`, `redis-cluster://[…@]host:port,host:port…`, or `redis-sentinel://[…@]host:port,host:port…/name`; over TLS `rediss://`, `rediss-cluster://` or `rediss-sentinel://`; must not be the queue's",
        },
        KeyDoc {
            name: "prefix",
            meaning: "prefix of every key, before `queue.id`: 1 to 100 letters, digits, `:` or `-`. Deployments that share a Redis must differ in one of the two",
        },
        KeyDoc {
            name: "max_entry_bytes",
            meaning: "maximum size of an entry that is stored or fetched in bytes, 1024 to 16777216",
        },
        KeyDoc { name: "connect_timeout", meaning: "timeout to open a connection, 10ms to 10s" },
        KeyDoc { name: "timeout", meaning: "timeout of a reply, 1ms to 10s" },
    ];

    pub(in crate::config) fn check(&self) -> Result<(), ConfigError> {
        let between = |key: &str, value, least, most| {
            between(&format!("redis.cache.{key}"), value, least, most)
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
        let named = (1..=100).contains(&self.prefix.len()) && self.prefix.chars().all(is_plain);
        require(named, "redis.cache.prefix", "must be of 1 to 100 letters, digits, `:` or `-`")?;
        let bytes = (1_024..=16 * 1_024 * 1_024).contains(&self.max_entry_bytes);
        require(bytes, "redis.cache.max_entry_bytes", "must be from 1024 to 16777216")?;
        between(
            "connect_timeout",
            self.connect_timeout,
            ConfigDuration::millis(10),
            ConfigDuration::secs(10),
        )?;
        between("timeout", self.timeout, ConfigDuration::millis(1), ConfigDuration::secs(10))?;
        self.pool.check()?;
        if self.url.expose().is_empty() { Ok(()) } else { self.parse().map(drop) }
    }

    fn parse(&self) -> Result<RedisAddress, ConfigError> {
        parse("redis.cache", &self.url, &self.tls, &self.sentinel)
    }

    /// The address with the files of its TLS.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or invalid, or a file cannot be used.
    pub fn address(&self) -> Result<RedisAddress, ConfigError> {
        if self.url.expose().is_empty() {
            return Err(invalid("redis.cache.url", "is needed: redis://host:6379"));
        }
        secured("redis.cache", self.parse()?, &self.tls)
    }

    /// The settings of the store.
    #[must_use]
    pub fn settings(&self) -> RedisCacheSettings {
        RedisCacheSettings {
            prefix: self.prefix.clone(),
            max_entry_bytes: self.max_entry_bytes as usize,
            pool: CachePoolSettings {
                size: self.pool.size,
                min_idle: self.pool.min_idle,
                acquire: self.pool.acquire_timeout.0,
                max_waiting: self.pool.max_waiting,
                connect: self.connect_timeout.0,
                answer: self.timeout.0,
                idle: self.pool.idle_timeout.0,
                lifetime: self.pool.max_lifetime.0,
            },
        }
    }
}

impl RedisCachePoolSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "size",
            meaning: "maximum number of connections, 1 to 1000; in a cluster, to each of its primaries",
        },
        KeyDoc {
            name: "min_idle",
            meaning: "idle connections kept ready; at most `redis.cache.pool.size`",
        },
        KeyDoc {
            name: "acquire_timeout",
            meaning: "how long a call waits for a connection before it continues without the cache, 1ms to 10s",
        },
        KeyDoc {
            name: "max_waiting",
            meaning: "maximum calls that wait for a connection, up to 100000",
        },
        KeyDoc {
            name: "idle_timeout",
            meaning: "how long an unused connection is kept, at least 1s",
        },
        KeyDoc { name: "max_lifetime", meaning: "maximum age of a connection, at least 1s" },
    ];

    fn check(&self) -> Result<(), ConfigError> {
        let key = |key: &str| format!("redis.cache.pool.{key}");
        require((1..=1_000).contains(&self.size), &key("size"), "must be from 1 to 1000")?;
        require(
            self.min_idle <= self.size,
            &key("min_idle"),
            "must be at most redis.cache.pool.size",
        )?;
        let waits =
            (ConfigDuration::millis(1)..=ConfigDuration::secs(10)).contains(&self.acquire_timeout);
        require(waits, &key("acquire_timeout"), "must be from 1ms to 10s")?;
        require(self.max_waiting <= 100_000, &key("max_waiting"), "must be at most 100000")?;
        require(
            self.idle_timeout >= ConfigDuration::secs(1),
            &key("idle_timeout"),
            "must be at least 1s",
        )?;
        require(
            self.max_lifetime >= ConfigDuration::secs(1),
            &key("max_lifetime"),
            "must be at least 1s",
        )
    }
}
