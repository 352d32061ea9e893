//! Configuration: defaults, then a TOML file, then environment variables, then flags. It is
//! validated before anything starts.

mod breaker;
mod cache;
mod catalog;
mod concerts;
mod deserialize;
mod duration;
mod error;
mod http;
mod limits;
mod load;
mod ops;
mod overload;
mod postgres;
mod puzzle;
mod queue;
mod redis;
pub mod reference;
mod renamed;
mod secret;
mod secret_files;
mod telemetry;

pub use breaker::{BreakerMode, BreakerSection, BreakersSection, WindowUnit};
pub use cache::{CacheKindSection, CacheSection, SharedCache};
pub use catalog::{CatalogSection, CatalogStore};
pub use concerts::ConcertsSection;
pub use duration::{ConfigDuration, InvalidDuration};
pub use error::ConfigError;
pub use http::HttpSection;
pub use limits::{LimitSection, LimitsSection, RetrySection};
pub use load::{Loaded, Sources, load};
pub use ops::OpsSection;
pub use overload::{
    AddressSource, JoiningRateSection, LimiterSection, OverloadSection, PollingSection, RateSection,
};
pub use postgres::{PoolerMode, PostgresPoolSection, PostgresSection};
pub use puzzle::{JoinPuzzleMode, PuzzleSection};
pub use queue::{
    CheckpointSection, CheckpointStoreKind, DurabilityKind, PolicySection, PollSection,
    QueueSection, QueueStoreKind,
};
pub use redis::{
    RedisCachePoolSection, RedisCacheSection, RedisQueueSection, RedisSection,
    RedisSentinelSection, RedisTlsSection, WhenUnsafe,
};
pub use renamed::OldKey;
pub use secret::Secret;
pub use telemetry::{OtlpSection, TelemetrySection, TracesSection};

use adapter_redis::{CacheSigner, RedisAddress};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The effective configuration. Every key has a default; an unknown key is an error.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The public listener.
    pub http: HttpSection,
    /// The operations listener.
    pub ops: OpsSection,
    /// The limits on the load of this node.
    pub overload: OverloadSection,
    /// The queue.
    pub queue: QueueSection,
    /// Where concerts and dates come from.
    pub catalog: CatalogSection,
    /// The concert list.
    pub concerts: ConcertsSection,
    /// The cache of pages and dates.
    pub cache: CacheSection,
    /// Limits of the dependencies.
    pub limits: LimitsSection,
    /// The circuit breakers.
    pub breaker: BreakersSection,
    /// Retries.
    pub retry: RetrySection,
    /// The database.
    pub postgres: PostgresSection,
    /// The deployments of Redis.
    pub redis: RedisSection,
    /// Metrics, logs, traces.
    pub telemetry: TelemetrySection,
}

/// One key as documented in the reference.
pub struct KeyDoc {
    /// The key within its section, such as `bind`.
    pub name: &'static str,
    /// Its meaning, unit and bounds.
    pub meaning: &'static str,
}

/// Keys that may differ between nodes by design: the addresses a node listens on, the capacity of
/// its machine, its resource attributes, and the collector beside it. [`Config::hash`] leaves them
/// out.
pub const PER_NODE: &[&str] = &[
    "http.bind",
    "http.workers",
    "http.max_connections",
    "ops.bind",
    "telemetry.resource",
    "telemetry.otlp.endpoint",
];

/// The purpose under which the keys that sign cached copies are derived.
const COPIES: &str = "boxoffice cache 1";

impl Config {
    /// Validates each section, and the keys that depend on each other.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the key to change.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.http.check()?;
        self.ops.check()?;
        self.overload.check()?;
        self.queue.check()?;
        self.catalog.check()?;
        self.concerts.page_size()?;
        self.cache.check()?;
        self.limits.check()?;
        self.breaker.check()?;
        self.retry.check()?;
        self.postgres.check()?;
        self.redis.queue.check()?;
        self.redis.cache.check()?;
        self.check_database()?;
        self.check_queue()?;
        self.check_cache()?;
        self.telemetry.check()
    }

    /// Whether anything is kept in Postgres.
    #[must_use]
    pub fn needs_database(&self) -> bool {
        self.catalog.store == CatalogStore::Postgres
            || self.queue.checkpoint.store == CheckpointStoreKind::Postgres
    }

    /// A store in Postgres needs its address, and must respond before the request times out.
    fn check_database(&self) -> Result<(), ConfigError> {
        if !self.needs_database() {
            return Ok(());
        }
        self.postgres.address()?;
        let longest = self.postgres.longest_query();
        let expected = format!(
            "must be above {longest}: the sum of postgres.pool.acquire_timeout, postgres.statement_timeout and network time"
        );
        require(self.http.request_timeout > longest, "http.request_timeout", &expected)
    }

    /// A load must end before the request that waits for it times out, so that the client gets its
    /// outcome.
    fn check_cache(&self) -> Result<(), ConfigError> {
        let address = |url: &Secret| RedisAddress::parse(url.expose()).ok();
        let (queue, cache) = (address(&self.redis.queue.url), address(&self.redis.cache.url));
        let is_shared =
            queue.zip(cache).is_some_and(|(queue, cache)| cache.shares_a_server_with(&queue));
        require(
            !is_shared,
            "redis.cache.url",
            "must not be redis.queue.url: the queue's Redis must never evict keys",
        )?;
        if self.cache.store == SharedCache::Redis {
            self.redis.cache.address()?;
            self.cache_signer()?;
        }
        for (kind, cache, limit) in [
            ("concerts", &self.cache.concerts, &self.limits.concerts),
            ("dates", &self.cache.dates, &self.limits.dates),
        ] {
            // If the cache gave up on a load before the load's own timeout, the breaker would never
            // count the failure.
            let expected = format!("must be above limits.{kind}.timeout, {}", limit.timeout);
            require(
                cache.load_limit > limit.timeout,
                &format!("cache.{kind}.load_limit"),
                &expected,
            )?;
            let longest = limit.max_duration();
            let expected = format!(
                "must be at least the sum of limits.{kind}.wait and limits.{kind}.timeout, {longest}"
            );
            require(cache.load_limit >= longest, &format!("cache.{kind}.load_limit"), &expected)?;
        }
        // One lookup in the second level may be the last step before a load, and another call
        // releases the lease.
        let look = self.max_lookup_time();
        let longest =
            ConfigDuration(self.cache.lease_wait.0 + 2 * look.0 + self.cache.longest_load().0);
        let expected = format!(
            "must be above {longest}: the sum of cache.lease_wait, twice limits.cache.timeout and the longest cache.*.load_limit"
        );
        require(self.http.request_timeout > longest, "http.request_timeout", &expected)
    }

    /// The signer of shared cache entries. Its keys are derived from the token keys, so they are
    /// the same on all nodes and rotate together with those.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key if there is no token key.
    pub fn cache_signer(&self) -> Result<CacheSigner, ConfigError> {
        let keys = self.queue.key_ring()?.map(|ring| ring.derived(COPIES)).unwrap_or_default();
        let (first, others) = keys.split_first().ok_or_else(|| {
            invalid(
                "queue.keys",
                "is needed with cache.store = \"redis\": nodes sign shared cache entries with keys derived from it; \
                 `boxoffice token new-key` makes one",
            )
        })?;
        let others: Vec<[u8; 32]> = others.iter().map(|key| **key).collect();
        Ok(CacheSigner::new(self.queue.queue_id()?, first, &others))
    }

    /// The longest lookup in the second level.
    fn max_lookup_time(&self) -> ConfigDuration {
        let (redis, limit) = (&self.redis.cache, self.limits.cache.timeout);
        let own = ConfigDuration(redis.pool.acquire_timeout.0 + redis.timeout.0);
        match self.cache.store {
            SharedCache::None | SharedCache::Memory => ConfigDuration::millis(0),
            SharedCache::Redis if limit.0.is_zero() => own,
            SharedCache::Redis => limit.min(own),
        }
    }

    /// A queue in Redis may serve many nodes, which need its address and the same token keys.
    fn check_queue(&self) -> Result<(), ConfigError> {
        if self.queue.store != QueueStoreKind::Redis {
            return Ok(());
        }
        self.redis.queue.address()?;
        require(
            !self.queue.keys.is_empty(),
            "queue.keys",
            "is needed with queue.store = \"redis\": nodes must verify each other's tokens; `boxoffice token new-key` makes one",
        )?;
        let looks_often = self.queue.refresh <= ConfigDuration::secs(1);
        require(looks_often, "queue.refresh", "must be at most 1s with queue.store = \"redis\"")?;
        let limit = self.redis.queue.timeout;
        // A join may wait this long for its batch, and again for its reply.
        let longest = ConfigDuration(2 * limit.0);
        let answers = self.http.request_timeout > longest;
        require(
            answers,
            "http.request_timeout",
            &format!("must be above twice redis.queue.timeout, {longest}"),
        )
    }

    /// Identifies the part of the configuration that should be the same on all nodes: the first
    /// half of the SHA-256 of the effective configuration, with secrets masked and without the keys
    /// in [`PER_NODE`].
    ///
    /// # Errors
    /// If it cannot be serialized as TOML, which is a bug.
    pub fn hash(&self) -> Result<String, toml::ser::Error> {
        let mut shared = toml::Table::try_from(self)?;
        for key in PER_NODE {
            remove(&mut shared, key);
        }
        let digest = Sha256::digest(toml::to_string(&shared)?);
        Ok(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The configuration as TOML, secrets masked.
    ///
    /// # Errors
    /// If it cannot be serialized as TOML, which is a bug.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Removes the value of a key such as `http.bind` and returns it.
fn remove(table: &mut toml::Table, key: &str) -> Option<toml::Value> {
    match key.split_once('.') {
        Some((section, rest)) => remove(table.get_mut(section)?.as_table_mut()?, rest),
        None => table.remove(key),
    }
}

/// The error for one key.
pub(crate) fn invalid(key: &str, expected: impl std::fmt::Display) -> ConfigError {
    ConfigError::Invalid { key: key.to_owned(), expected: expected.to_string() }
}

/// `Ok` if the condition holds, otherwise the error for this key.
pub(crate) fn require(holds: bool, key: &str, expected: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(invalid(key, expected)) }
}

/// `Ok` if the value is within these bounds, otherwise the error for this key.
pub(crate) fn between(
    key: &str,
    value: ConfigDuration,
    least: ConfigDuration,
    most: ConfigDuration,
) -> Result<(), ConfigError> {
    require((least..=most).contains(&value), key, &format!("must be from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(overrides: &[&str]) -> String {
        let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
        load(&Sources { file: None, overrides }).unwrap().config.hash().unwrap()
    }

    #[test]
    fn nodes_that_differ_by_design_have_one_hash() {
        let first = hash(&["telemetry.resource=host.name=a"]);
        let second = hash(&[
            "telemetry.resource=host.name=b",
            "telemetry.otlp.endpoint=http://10.0.0.2:4318",
            "http.bind=10.0.0.2:8081",
            "ops.bind=10.0.0.2:9081",
            "http.workers=8",
            "http.max_connections=1000",
        ]);
        assert_eq!(first, second);
    }

    #[test]
    fn nodes_that_differ_otherwise_have_different_hashes() {
        let hashes = [
            hash(&[]),
            hash(&["queue.policy.batch=7"]),
            hash(&["http.keep_alive=9s"]),
            hash(&["telemetry.log_filter=debug"]),
            hash(&["telemetry.otlp.metrics_every=5s"]),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "{i}: {hashes:?}");
        }
    }

    #[test]
    fn every_per_node_key_exists() {
        let mut table = toml::Table::try_from(Config::default()).unwrap();
        for key in PER_NODE {
            assert!(remove(&mut table, key).is_some(), "{key}");
        }
    }
}
