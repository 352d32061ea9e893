//! The limits of a pool.

use std::time::Duration;

/// Limits of a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolSettings {
    /// Maximum number of connections; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`.
    pub min_idle: u32,
    /// How long a call waits for a connection.
    pub acquire: Duration,
    /// Maximum number of calls waiting for a connection; further ones are refused.
    pub max_waiting: u32,
    /// A connection idle for this long is closed.
    pub idle: Duration,
    /// A connection older than this is closed when it returns to the pool.
    pub lifetime: Duration,
}
