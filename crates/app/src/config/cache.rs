//! `[cache]`: how long answers count, how many are kept, and which level the nodes share.

use std::time::Duration;

use decorators::cache::{CacheSettings, SharedSettings};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Span, between, require};

/// Where copies are kept that all nodes share.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SharedCache {
    /// Nowhere.
    None,
    /// In this process, which is good for one node.
    #[default]
    Memory,
    /// In a Redis of its own.
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
    pub lease: Span,
    pub lease_wait: Span,
    pub hear_every: Span,
    pub concerts: CacheKindSection,
    pub dates: CacheKindSection,
}

/// One kind of answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct CacheKindSection {
    pub ttl: Span,
    pub absent_ttl: Span,
    pub jitter: f64,
    pub refresh_ahead: f64,
    pub stale_while_refreshing: Span,
    pub stale_if_error: Span,
    pub retry_pause: Span,
    pub patience: Span,
    pub load_limit: Span,
    pub local_bytes: u64,
}

impl Default for CacheSection {
    fn default() -> Self {
        let list = CacheSettings::default();
        // Seats go while people look: a second is what they are told anyway by the time they have read it.
        let dates = CacheSettings {
            ttl: Duration::from_secs(1),
            stale_while_refreshing: Duration::from_secs(1),
            local_bytes: 32 * 1024 * 1024,
            ..list
        };
        Self {
            store: SharedCache::default(),
            memory_bytes: 32 * 1024 * 1024,
            // A load takes two seconds at the most; then the answer has to be put.
            lease: Span::secs(3),
            // As long as the database may take for a question: then whoever has the lease has put or given up, unless it had to wait
            // for a place first. In such an overload another node asks too.
            lease_wait: Span::secs(1),
            hear_every: Span::millis(250),
            concerts: CacheKindSection::of(&list),
            dates: CacheKindSection::of(&dates),
        }
    }
}

impl CacheSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "store",
            meaning: "the level below the copies each kind keeps in the process: `memory` (of this process), `redis` at `redis.cache.url`, shared by all nodes, or `none`",
        },
        KeyDoc { name: "memory_bytes", meaning: "bytes the `memory` store keeps, at most" },
        KeyDoc {
            name: "lease",
            meaning: "for how long one node has the right to load a key while the others wait, longer than every `load_limit`, up to 1m",
        },
        KeyDoc {
            name: "lease_wait",
            meaning: "how long a node waits for what another is loading before it loads too, up to 10s",
        },
        KeyDoc {
            name: "hear_every",
            meaning: "how often a node asks whether a kind was invalidated (`boxoffice cache invalidate`), 10ms to 10s",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let between =
            |key: &str, value, least, most| between(&format!("cache.{key}"), value, least, most);
        self.concerts.check("cache.concerts")?;
        self.dates.check("cache.dates")?;
        between("lease_wait", self.lease_wait, Span::millis(0), Span::secs(10))?;
        between("hear_every", self.hear_every, Span::millis(10), Span::secs(10))?;
        let longest = self.longest_load();
        require(
            self.lease > longest,
            "cache.lease",
            &format!("must be above every load_limit, {longest}"),
        )?;
        require(self.lease <= Span::secs(60), "cache.lease", "must be at most 1m")
    }

    /// How nodes share the second level.
    #[must_use]
    pub fn shared(&self) -> SharedSettings {
        SharedSettings { lease: self.lease.0, lease_wait: self.lease_wait.0 }
    }

    /// The longest a load may take.
    pub(super) fn longest_load(&self) -> Span {
        self.concerts.load_limit.max(self.dates.load_limit)
    }
}

impl CacheKindSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc { name: "ttl", meaning: "how old an answer may be and count as fresh, 1ms to 1h" },
        KeyDoc {
            name: "absent_ttl",
            meaning: "how old \"there is no such thing\" may be and count as fresh, 1ms to 1h",
        },
        KeyDoc {
            name: "jitter",
            meaning: "by what share of it a lifetime is shortened at random, 0 to 0.9, so that what was loaded together is not loaded together again",
        },
        KeyDoc {
            name: "refresh_ahead",
            meaning: "from which share of its lifetime on an answer that is asked for is refreshed ahead of its end, 0.1 to 1; 1 is never",
        },
        KeyDoc {
            name: "stale_while_refreshing",
            meaning: "how long after its end an answer is still given at once, while one refresh runs; at most `stale_if_error`",
        },
        KeyDoc {
            name: "stale_if_error",
            meaning: "how long after its end an answer is still given, marked with `Warning` and `Age`, when it cannot be refreshed, up to 24h",
        },
        KeyDoc {
            name: "retry_pause",
            meaning: "after a refresh that failed: how long nobody starts another, 10ms to 1m",
        },
        KeyDoc {
            name: "patience",
            meaning: "how long somebody who could be given an old answer waits for a new one; at most `load_limit`",
        },
        KeyDoc { name: "load_limit", meaning: "how long a load may take in all, 10ms to 10s" },
        KeyDoc {
            name: "local_bytes",
            meaning: "bytes kept in the process, at most; 0 keeps none there, so that every question goes to `cache.store`",
        },
    ];

    fn of(settings: &CacheSettings) -> Self {
        Self {
            ttl: Span(settings.ttl),
            absent_ttl: Span(settings.absent_ttl),
            jitter: settings.jitter,
            refresh_ahead: settings.refresh_ahead,
            stale_while_refreshing: Span(settings.stale_while_refreshing),
            stale_if_error: Span(settings.stale_if_error),
            retry_pause: Span(settings.retry_pause),
            patience: Span(settings.patience),
            load_limit: Span(settings.load_limit),
            local_bytes: settings.local_bytes,
        }
    }

    /// How the answers of this kind are kept.
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
        between("ttl", self.ttl, Span::millis(1), Span::secs(3_600))?;
        between("absent_ttl", self.absent_ttl, Span::millis(1), Span::secs(3_600))?;
        between("stale_if_error", self.stale_if_error, Span::millis(0), Span::secs(24 * 3_600))?;
        between(
            "stale_while_refreshing",
            self.stale_while_refreshing,
            Span::millis(0),
            self.stale_if_error,
        )?;
        between("retry_pause", self.retry_pause, Span::millis(10), Span::secs(60))?;
        between("load_limit", self.load_limit, Span::millis(10), Span::secs(10))?;
        between("patience", self.patience, Span::millis(0), self.load_limit)?;
        let jitters = (0.0..=0.9).contains(&self.jitter);
        require(jitters, &format!("{section}.jitter"), "must be from 0 to 0.9")?;
        let ahead = (0.1..=1.0).contains(&self.refresh_ahead);
        require(ahead, &format!("{section}.refresh_ahead"), "must be from 0.1 to 1")
    }
}
