//! `[redis.queue]`: the Redis of the queue, which the cache must not share.

use adapter_redis::{ConnectionSettings, RedisAddress};
use serde::{Deserialize, Serialize};

use super::access::{RedisSentinelSection, RedisTlsSection, parse, secured};
use crate::config::{ConfigDuration, ConfigError, KeyDoc, Secret, between, invalid, require};

/// The reaction to a Redis whose configuration can lose places.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnsafe {
    /// Refuse to start.
    #[default]
    Refuse,
    /// Log a warning and continue.
    Warn,
}

/// The Redis of the queue.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RedisQueueSection {
    pub url: Secret,
    pub connect_timeout: ConfigDuration,
    pub timeout: ConfigDuration,
    pub max_in_flight: u32,
    pub when_unsafe: WhenUnsafe,
    pub tls: RedisTlsSection,
    pub sentinel: RedisSentinelSection,
}

impl Default for RedisQueueSection {
    fn default() -> Self {
        Self {
            url: Secret::new(String::new()),
            connect_timeout: ConfigDuration::secs(1),
            // A step takes a millisecond and a large batch three; behind the largest batch it may
            // take a tenth of a second.
            timeout: ConfigDuration::millis(500),
            // If each takes a tenth of a millisecond, all are answered within the timeout.
            max_in_flight: 4_096,
            when_unsafe: WhenUnsafe::default(),
            tls: RedisTlsSection::default(),
            sentinel: RedisSentinelSection::default(),
        }
    }
}

impl RedisQueueSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "url",
            meaning: "`redis://[user:password@]host:port[/database]`, `redis-cluster://[…@]host:port,host:port…`, or `redis-sentinel://[…@]host:port,host:port…/name`; over TLS `rediss://`, `rediss-cluster://` or `rediss-sentinel://`",
        },
        KeyDoc {
            name: "connect_timeout",
            meaning: "timeout to open a connection, 100ms to 10s; after a restart or failover of Redis, no user is called and no new number is issued for this time plus `redis.queue.timeout` and ten times `queue.refresh`, at least 2s",
        },
        KeyDoc {
            name: "timeout",
            meaning: "timeout of one step of the queue, after which its outcome counts as unknown, 10ms to 10s",
        },
        KeyDoc {
            name: "max_in_flight",
            meaning: "maximum in-flight steps, 16 to 100000; further ones are refused at once with 503. A batch of joins is one step",
        },
        KeyDoc {
            name: "when_unsafe",
            meaning: "reaction to a server that evicts keys, has no persistence or is too old: `refuse` to start, or `warn`",
        },
    ];

    pub(in crate::config) fn check(&self) -> Result<(), ConfigError> {
        let between = |key: &str, value, least, most| {
            between(&format!("redis.queue.{key}"), value, least, most)
        };
        between(
            "connect_timeout",
            self.connect_timeout,
            ConfigDuration::millis(100),
            ConfigDuration::secs(10),
        )?;
        between("timeout", self.timeout, ConfigDuration::millis(10), ConfigDuration::secs(10))?;
        let steps = (16..=100_000).contains(&self.max_in_flight);
        require(steps, "redis.queue.max_in_flight", "must be from 16 to 100000")?;
        if self.url.expose().is_empty() { Ok(()) } else { self.parse().map(drop) }
    }

    fn parse(&self) -> Result<RedisAddress, ConfigError> {
        parse("redis.queue", &self.url, &self.tls, &self.sentinel)
    }

    /// The address with the files of its TLS.
    ///
    /// # Errors
    /// [`ConfigError`] if it is missing or invalid, or a file cannot be used.
    pub fn address(&self) -> Result<RedisAddress, ConfigError> {
        if self.url.expose().is_empty() {
            return Err(invalid("redis.queue.url", "is needed: redis://host:6379"));
        }
        secured("redis.queue", self.parse()?, &self.tls)
    }

    /// The settings of the connections.
    #[must_use]
    pub fn connection(&self) -> ConnectionSettings {
        ConnectionSettings {
            connect: self.connect_timeout.0,
            answer: self.timeout.0,
            max_in_flight: self.max_in_flight as usize,
        }
    }
}
