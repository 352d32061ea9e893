//! Configuration: defaults, then a TOML file, then environment variables, then flags; checked before anything starts.

mod breaker;
mod cache;
mod catalog;
mod concerts;
mod given;
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
mod secret;
mod span;
mod telemetry;

pub use breaker::{BreakerMode, BreakerSection, BreakersSection, WindowUnit};
pub use cache::{CacheKindSection, CacheSection, SharedCache};
pub use catalog::{CatalogSection, CatalogStore};
pub use concerts::ConcertsSection;
pub use http::HttpSection;
pub use limits::{LimitSection, LimitsSection, RetrySection};
pub use load::{ConfigError, Sources, load};
pub use ops::OpsSection;
pub use overload::{
    AddressSource, GateSection, JoiningRateSection, OverloadSection, PollingSection, RateSection,
};
pub use postgres::{PostgresPoolSection, PostgresSection};
pub use puzzle::{JoinPuzzleMode, PuzzleSection};
pub use queue::{
    CheckpointSection, CheckpointStoreKind, DurabilityKind, PolicySection, PollSection,
    QueueSection, QueueStoreKind,
};
pub use redis::{
    RedisCachePoolSection, RedisCacheSection, RedisQueueSection, RedisSection, WhenUnsafe,
};
pub use secret::Secret;
pub use span::Span;
pub use telemetry::{OtlpSection, TelemetrySection, TracesSection};

use adapter_redis::CacheSigner;
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
    /// The limits on what is asked of this node.
    pub overload: OverloadSection,
    /// The line.
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

/// One key as the reference shows it.
pub struct KeyDoc {
    /// The key below its section, such as `bind`.
    pub name: &'static str,
    /// What it means, with its unit and bounds.
    pub meaning: &'static str,
}

/// Keys that may differ from node to node by design: where a node listens, what its machine can
/// carry, what its telemetry says of it, and the collector beside it. [`Config::hash`] leaves them
/// out.
pub const PER_NODE: &[&str] = &[
    "http.bind",
    "http.workers",
    "http.max_connections",
    "ops.bind",
    "telemetry.resource",
    "telemetry.otlp.endpoint",
];

/// The purpose of the keys that copies are signed with.
const COPIES: &str = "boxoffice cache 1";

impl Config {
    /// Checks what no single key can tell.
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
        self.check_line()?;
        self.check_cache()?;
        self.telemetry.check()
    }

    /// Whether anything is kept in Postgres.
    #[must_use]
    pub fn needs_database(&self) -> bool {
        self.catalog.store == CatalogStore::Postgres
            || self.queue.checkpoint.store == CheckpointStoreKind::Postgres
    }

    /// A store in Postgres needs to know where that is, and must have answered before the caller is told to come back.
    fn check_database(&self) -> Result<(), ConfigError> {
        if !self.needs_database() {
            return Ok(());
        }
        self.postgres.address()?;
        let longest = self.postgres.longest_answer();
        let expected = format!(
            "must be above {longest}: postgres.pool.acquire_timeout, postgres.statement_timeout and the wire together"
        );
        require(self.http.request_timeout > longest, "http.request_timeout", &expected)
    }

    /// Whoever waits for an answer that is nowhere is told what came of it, not that time is over.
    fn check_cache(&self) -> Result<(), ConfigError> {
        let (line, copies) = (self.redis.queue.url.expose(), self.redis.cache.url.expose());
        require(
            copies.is_empty() || copies != line,
            "redis.cache.url",
            "must not be redis.queue.url: what keeps the line must never evict",
        )?;
        if self.cache.store == SharedCache::Redis {
            self.redis.cache.address()?;
            self.cache_signer()?;
        }
        for (kind, cache, limit) in [
            ("concerts", &self.cache.concerts, &self.limits.concerts),
            ("dates", &self.cache.dates, &self.limits.dates),
        ] {
            // A load that was given up by the cache is nobody's failure, and no breaker would ever hear of it.
            let expected = format!("must be above limits.{kind}.timeout, {}", limit.timeout);
            require(
                cache.load_limit > limit.timeout,
                &format!("cache.{kind}.load_limit"),
                &expected,
            )?;
            let longest = limit.longest();
            let expected = format!(
                "must be at least limits.{kind}.wait and limits.{kind}.timeout together, {longest}"
            );
            require(cache.load_limit >= longest, &format!("cache.{kind}.load_limit"), &expected)?;
        }
        // A look at the second level may be the last before a load, and another one gives its lease back.
        let look = self.longest_look();
        let longest = Span(self.cache.lease_wait.0 + 2 * look.0 + self.cache.longest_load().0);
        let expected = format!(
            "must be above {longest}: cache.lease_wait, twice limits.cache.timeout and the longest cache.*.load_limit together"
        );
        require(self.http.request_timeout > longest, "http.request_timeout", &expected)
    }

    /// What signs the copies that nodes share: keys made from the token keys, so that they are the same on all nodes and are
    /// rotated with those.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key, where there is no token key.
    pub fn cache_signer(&self) -> Result<CacheSigner, ConfigError> {
        let keys = self.queue.key_ring()?.map(|ring| ring.derived(COPIES)).unwrap_or_default();
        let (first, others) = keys.split_first().ok_or_else(|| {
            invalid(
                "queue.keys",
                "is needed with cache.store = \"redis\": nodes sign the copies they share with keys made from it; \
                 `boxoffice token new-key` makes one",
            )
        })?;
        let others: Vec<[u8; 32]> = others.iter().map(|key| **key).collect();
        Ok(CacheSigner::new(self.queue.queue_id()?, first, &others))
    }

    /// The longest the second level may take to answer.
    fn longest_look(&self) -> Span {
        let (redis, limit) = (&self.redis.cache, self.limits.cache.timeout);
        let own = Span(redis.pool.acquire_timeout.0 + redis.timeout.0);
        match self.cache.store {
            SharedCache::None | SharedCache::Memory => Span::millis(0),
            SharedCache::Redis if limit.0.is_zero() => own,
            SharedCache::Redis => limit.min(own),
        }
    }

    /// A line in Redis is there for many nodes: they need the address, and the same token keys.
    fn check_line(&self) -> Result<(), ConfigError> {
        if self.queue.store != QueueStoreKind::Redis {
            return Ok(());
        }
        self.redis.queue.address()?;
        require(
            !self.queue.keys.is_empty(),
            "queue.keys",
            "is needed with queue.store = \"redis\": nodes must verify each other's tokens; `boxoffice token new-key` makes one",
        )?;
        let looks_often = self.queue.refresh <= Span::secs(1);
        require(looks_often, "queue.refresh", "must be at most 1s with queue.store = \"redis\"")?;
        let limit = self.redis.queue.timeout;
        // A join may wait that long for its batch and then for its answer.
        let longest = Span(2 * limit.0);
        let answers = self.http.request_timeout > longest;
        require(
            answers,
            "http.request_timeout",
            &format!("must be above twice redis.queue.timeout, {longest}"),
        )
    }

    /// Tells configurations apart that should be the same on all nodes: the first half of the
    /// SHA-256 of the effective one, secrets masked and without the keys that are [`PER_NODE`].
    ///
    /// # Errors
    /// When it cannot be written as TOML, which is a mistake of ours.
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
    /// When it cannot be written as TOML, which is a mistake of ours.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Removes the value of a key such as `http.bind`, and returns it.
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

/// Holds, or is the error for that key.
pub(crate) fn require(holds: bool, key: &str, expected: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(invalid(key, expected)) }
}

/// Lies between the two, or is the error for that key.
pub(crate) fn between(key: &str, value: Span, least: Span, most: Span) -> Result<(), ConfigError> {
    require((least..=most).contains(&value), key, &format!("must be from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(overrides: &[&str]) -> String {
        let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
        load(&Sources { file: None, overrides }).unwrap().hash().unwrap()
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
    fn nodes_that_differ_otherwise_have_not() {
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
    fn every_key_that_is_left_out_is_one() {
        let mut table = toml::Table::try_from(Config::default()).unwrap();
        for key in PER_NODE {
            assert!(remove(&mut table, key).is_some(), "{key}");
        }
    }
}
