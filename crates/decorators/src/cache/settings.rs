//! How long cached answers stay fresh, and how much memory they take.

use std::time::Duration;

/// How answers of one kind are cached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheSettings {
    /// Maximum age of a fresh answer, wherever the copy is.
    pub ttl: Duration,
    /// Maximum age of a fresh "not found".
    pub absent_ttl: Duration,
    /// Fraction by which a lifetime is randomly shortened, from 0 to 1, so that answers loaded
    /// together do not expire together.
    pub jitter: f64,
    /// Fraction of its lifetime after which a requested answer is refreshed ahead of its expiry; 1
    /// means never.
    pub refresh_ahead: f64,
    /// How long after its expiry an answer is still served without waiting, while one refresh runs.
    pub stale_while_refreshing: Duration,
    /// How long after its expiry an answer is still served, marked stale, if it cannot be
    /// refreshed.
    pub stale_if_error: Duration,
    /// Pause after a failed refresh, in which no call waits for another.
    pub retry_pause: Duration,
    /// How long a call with a stale answer to fall back on waits for a new one.
    pub patience: Duration,
    /// Maximum total duration of a load.
    pub load_limit: Duration,
    /// Maximum bytes held in this process; 0 disables the local level.
    pub local_bytes: u64,
}

/// Suits a list that rarely changes.
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
            // Longer than the timeout of a second level that hangs.
            patience: Duration::from_millis(250),
            load_limit: Duration::from_secs(2),
            local_bytes: 16 * 1024 * 1024,
        }
    }
}

/// How nodes share the second level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SharedSettings {
    /// Time to live of the lease on loading a key. If it is shorter than a load, two nodes load.
    pub lease: Duration,
    /// How long a node waits for another node's load before it loads too.
    pub lease_wait: Duration,
}
