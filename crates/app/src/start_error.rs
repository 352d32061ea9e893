//! Why the service did not start.

use std::io;
use std::net::SocketAddr;

use adapter_postgres::SetupError;
use adapter_redis::UnsafeConfig;
use adapter_token::InvalidKey;

use crate::config::ConfigError;

/// Why the service did not start or stopped unexpectedly; each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot serve this program, and a retry does not help.
    #[error(transparent)]
    Database(#[from] SetupError),
    /// The queue's Redis is configured in a way that can lose places.
    #[error(transparent)]
    UnsafeRedis(#[from] UnsafeConfig),
    /// The limit on open files is too low for the configuration.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// No token key could be generated.
    #[error("cannot generate a token key: {0}")]
    NoKey(InvalidKey),
    /// A listener cannot be bound.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// Its configuration key.
        key: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The builder was given two adapters for this port.
    #[error("{0} was given twice: a port has one adapter")]
    GivenTwice(&'static str),
    /// A bug in the wiring.
    #[error("miswired: {0}")]
    Miswired(&'static str),
    /// A listener or a loop ended before shutdown.
    #[error("a part of the service ended unexpectedly: {0}")]
    Ended(io::Error),
}

impl StartError {
    /// [`Config::needs_database`] and the wiring disagree, which is a bug.
    pub(crate) const NO_DATABASE: Self =
        Self::Miswired("a store needs the database, which is not open");
}

/// The limit is too low for the configuration; the message is one line.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "too few file descriptors: the limit (RLIMIT_NOFILE) is {limit}, and {needed} are needed: {parts}; \
    raise the hard limit (`ulimit -Hn`, LimitNOFILE= of systemd, nofile of the container), or lower \
    these settings"
)]
pub struct TooFewDescriptors {
    pub(crate) limit: u64,
    pub(crate) needed: u64,
    pub(crate) parts: String,
}
