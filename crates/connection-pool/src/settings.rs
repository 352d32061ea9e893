//! The limits of a pool.

use std::time::Duration;

/// Limits of a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolSettings {
    /// Maximum number of connections; at least 1. Only [`Slot::reconnect`](crate::Slot::reconnect)
    /// exceeds it, for a moment.
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

/// Limits on the server's answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerLimits {
    /// How long an attempt to connect takes. It may exceed `acquire`: the connection then serves a
    /// later call.
    pub connect: Duration,
    /// How long a call takes once it has a connection.
    pub answer: Duration,
}
