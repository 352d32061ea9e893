//! How long answers count, and how many are kept.

use std::time::Duration;

/// How the answers of one kind are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheSettings {
    /// How old an answer may be and count as fresh, wherever the copy is.
    pub ttl: Duration,
    /// How old "there is no such thing" may be and count as fresh.
    pub absent_ttl: Duration,
    /// By what share of it a lifetime is shortened at random, from 0 to 1, so that what was loaded together is not loaded
    /// together again.
    pub jitter: f64,
    /// From which share of its lifetime on a fresh answer that is asked for is refreshed ahead of its end; 1 for never.
    pub refresh_ahead: f64,
    /// How long after its end an answer is still given at once, while one refresh runs.
    pub stale_while_refreshing: Duration,
    /// How long after its end an answer is still given, marked, when it cannot be refreshed.
    pub stale_if_error: Duration,
    /// How long nobody waits for a refresh after one has failed.
    pub retry_pause: Duration,
    /// How long somebody who could be given an old answer waits for a new one.
    pub patience: Duration,
    /// How long a load may take in all.
    pub load_limit: Duration,
    /// Bytes kept in this process, at most; 0 for no level of its own.
    pub local_bytes: u64,
}

/// Good for a list that changes now and then.
impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(10),
            absent_ttl: Duration::from_secs(5),
            jitter: 0.1,
            refresh_ahead: 0.8,
            stale_while_refreshing: Duration::from_secs(30),
            stale_if_error: Duration::from_secs(24 * 3_600),
            retry_pause: Duration::from_secs(1),
            // Longer than a second level that hangs is waited for.
            patience: Duration::from_millis(250),
            load_limit: Duration::from_secs(2),
            local_bytes: 16 * 1024 * 1024,
        }
    }
}

/// How nodes share the second level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SharedSettings {
    /// When the lease on loading a key ends by itself. Longer than a load, or two nodes load.
    pub lease: Duration,
    /// How long a node waits for what another is loading, before it loads too.
    pub lease_wait: Duration,
}
