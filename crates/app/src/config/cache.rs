//! `[cache]`: lifetimes and sizes of cached responses, and the level that nodes share.

use std::time::Duration;

use decorators::cache::{CacheSettings, SharedSettings};
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, KeyDoc, between, require};

/// The store of the level that nodes share.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedCache {
    /// No shared level.
    None,
    /// This process, for a single node.
    #[default]
    Memory,
    /// A separate Redis.
    Redis,
}

/// The cache of pages and dates.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct CacheSection {
    pub store: SharedCache,
    pub memory_bytes: u64,
    pub lease: ConfigDuration,
    pub lease_wait: ConfigDuration,
    pub invalidation_interval: ConfigDuration,
    pub concerts: CacheKindSection,
    pub dates: CacheKindSection,
}

/// One kind of cached response.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct CacheKindSection {
    pub ttl: ConfigDuration,
    pub absent_ttl: ConfigDuration,
    pub jitter: f64,
    pub refresh_ahead: f64,
    pub stale_while_refreshing: ConfigDuration,
    pub stale_if_error: ConfigDuration,
    pub retry_pause: ConfigDuration,
    pub patience: ConfigDuration,
    pub load_limit: ConfigDuration,
    pub local_bytes: u64,
}

impl Default for CacheSection {
    fn default() -> Self {
        let list = CacheSettings::default();
        // Seats sell while a page is read, so an age of one second changes nothing for its reader.
        let dates = CacheSettings {
            ttl: Duration::from_secs(1),
            stale_while_refreshing: Duration::from_secs(1),
            local_bytes: 32 * 1024 * 1024,
            ..list
        };
        Self {
            store: SharedCache::default(),
            memory_bytes: 32 * 1024 * 1024,
            // A load takes at most two seconds, and its result must be stored in that time too.
            lease: ConfigDuration::secs(3),
            // The longest database query: by then the holder of the lease has stored its result or
            // failed, unless it first waited for a permit. In such an overload a second node loads
            // as well.
            lease_wait: ConfigDuration::secs(1),
            invalidation_interval: ConfigDuration::millis(250),
            concerts: CacheKindSection::of(&list),
            dates: CacheKindSection::of(&dates),
        }
    }
}

impl CacheSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "store",
            meaning: "the shared level below each node's own copies: `memory` (of this process), `redis` at `redis.cache.url`, shared by all nodes, or `none`",
        },
        KeyDoc { name: "memory_bytes", meaning: "maximum size of the `memory` store in bytes" },
        KeyDoc {
            name: "lease",
            meaning: "how long one node holds the exclusive right to load a key, longer than every `load_limit`, up to 1m",
        },
        KeyDoc {
            name: "lease_wait",
            meaning: "how long a node waits for a load by another node before it loads as well, up to 10s",
        },
        KeyDoc {
            name: "invalidation_interval",
            meaning: "interval at which a node polls for invalidations (`boxoffice cache invalidate`), 10ms to 10s",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let between =
            |key: &str, value, least, most| between(&format!("cache.{key}"), value, least, most);
        self.concerts.check("cache.concerts")?;
        self.dates.check("cache.dates")?;
        between(
            "lease_wait",
            self.lease_wait,
            ConfigDuration::millis(0),
            ConfigDuration::secs(10),
        )?;
        between(
            "invalidation_interval",
            self.invalidation_interval,
            ConfigDuration::millis(10),
            ConfigDuration::secs(10),
        )?;
        let longest = self.longest_load();
        require(
            self.lease > longest,
            "cache.lease",
            &format!("must be above every load_limit, {longest}"),
        )?;
        require(self.lease <= ConfigDuration::secs(60), "cache.lease", "must be at most 1m")
    }

    /// How nodes share the second level.
    #[must_use]
    pub fn shared(&self) -> SharedSettings {
        SharedSettings { lease: self.lease.0, lease_wait: self.lease_wait.0 }
    }

    /// The longest load of any kind.
    pub(super) fn longest_load(&self) -> ConfigDuration {
        self.concerts.load_limit.max(self.dates.load_limit)
    }
}

impl CacheKindSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc { name: "ttl", meaning: "how long a response is fresh, 1ms to 1h" },
        KeyDoc { name: "absent_ttl", meaning: "how long a \"not found\" is fresh, 1ms to 1h" },
        KeyDoc {
            name: "jitter",
            meaning: "maximum share by which a lifetime is randomly shortened, 0 to 0.9, so that entries loaded together do not expire together",
        },
        KeyDoc {
            name: "refresh_ahead",
            meaning: "share of the lifetime after which a request triggers an early refresh, 0.1 to 1; 1 disables it",
        },
        KeyDoc {
            name: "stale_while_refreshing",
            meaning: "how long after expiry a stale response is served immediately while one refresh runs; at most `stale_if_error`",
        },
        KeyDoc {
            name: "stale_if_error",
            meaning: "how long after expiry a stale response is served, marked with `Warning` and `Age`, if the refresh fails; up to 24h",
        },
        KeyDoc {
            name: "retry_pause",
            meaning: "pause after a failed refresh before the next one, 10ms to 1m",
        },
        KeyDoc {
            name: "patience",
            meaning: "how long a request for which a stale response exists waits for a fresh one; at most `load_limit`",
        },
        KeyDoc { name: "load_limit", meaning: "timeout of a whole load, 10ms to 10s" },
        KeyDoc {
            name: "local_bytes",
            meaning: "maximum size of the entries in this process in bytes; 0 keeps none, so that every request goes to `cache.store`",
        },
    ];

    fn of(settings: &CacheSettings) -> Self {
        Self {
            ttl: ConfigDuration(settings.ttl),
            absent_ttl: ConfigDuration(settings.absent_ttl),
            jitter: settings.jitter,
            refresh_ahead: settings.refresh_ahead,
            stale_while_refreshing: ConfigDuration(settings.stale_while_refreshing),
            stale_if_error: ConfigDuration(settings.stale_if_error),
            retry_pause: ConfigDuration(settings.retry_pause),
            patience: ConfigDuration(settings.patience),
            load_limit: ConfigDuration(settings.load_limit),
            local_bytes: settings.local_bytes,
        }
    }

    /// The settings of this kind.
    #[must_use]
    pub fn settings(&self) -> CacheSettings {
        CacheSettings {
            ttl: self.ttl.0,
            absent_ttl: self.absent_ttl.0,
            jitter: self.jitter,
            refresh_ahead: self.refresh_ahead,
            stale_while_refreshing: self.stale_while_refreshing.0,
            stale_if_error: self.stale_if_error.0,
            retry_pause: self.retry_pause.0,
            patience: self.patience.0,
            load_limit: self.load_limit.0,
            local_bytes: self.local_bytes,
        }
    }

    fn check(&self, section: &str) -> Result<(), ConfigError> {
        let between = |key: &str, value, least, most| {
            between(&format!("{section}.{key}"), value, least, most)
        };
        between("ttl", self.ttl, ConfigDuration::millis(1), ConfigDuration::secs(3_600))?;
        between(
            "absent_ttl",
            self.absent_ttl,
            ConfigDuration::millis(1),
            ConfigDuration::secs(3_600),
        )?;
        between(
            "stale_if_error",
            self.stale_if_error,
            ConfigDuration::millis(0),
            ConfigDuration::secs(24 * 3_600),
        )?;
        between(
            "stale_while_refreshing",
            self.stale_while_refreshing,
            ConfigDuration::millis(0),
            self.stale_if_error,
        )?;
        between(
            "retry_pause",
            self.retry_pause,
            ConfigDuration::millis(10),
            ConfigDuration::secs(60),
        )?;
        between(
            "load_limit",
            self.load_limit,
            ConfigDuration::millis(10),
            ConfigDuration::secs(10),
        )?;
        between("patience", self.patience, ConfigDuration::millis(0), self.load_limit)?;
        let jitters = (0.0..=0.9).contains(&self.jitter);
        require(jitters, &format!("{section}.jitter"), "must be from 0 to 0.9")?;
        let ahead = (0.1..=1.0).contains(&self.refresh_ahead);
        require(ahead, &format!("{section}.refresh_ahead"), "must be from 0.1 to 1")
    }
}
