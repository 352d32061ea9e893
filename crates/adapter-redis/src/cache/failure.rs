//! What can go wrong with the Redis of the cache.

use bb8_redis::redis::{ErrorKind, RedisError, ServerErrorKind};
use connection_pool::{ConnectError, PoolError};
use domain::{Dependency, PortError, PortErrorKind};

use crate::address::Node;
use crate::error::{lets_nobody_in, word_of};

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Another node of the cluster has the key. Nothing was carried out.
    #[error("the key is at {0}")]
    Moved(Redirection),
    /// The key is migrating to another node, which must be asked this once. Nothing was carried
    /// out.
    #[error("the key is migrating to {0}")]
    Ask(Redirection),
    /// The keys are migrating, or the server is still loading. Nothing was carried out; a retry
    /// will soon work.
    #[error("the server cannot answer yet: {0}")]
    NotYet(String),
    /// A replica, which takes no writes. Nothing was carried out.
    #[error("the server is not the primary: {0}")]
    NotPrimary(String),
    /// The server does not know the script. Nothing was carried out.
    #[error("the server does not know the script")]
    NoScript,
    /// The server refused. Nothing was carried out.
    #[error("the server refused: {0}")]
    Refused(String),
    /// There is no connection. Nothing was carried out.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The limit of calls in flight and waiting is reached. Nothing was carried out.
    #[error("{0}")]
    Busy(&'static str),
    /// No answer within the limit, or the connection was lost first: unknown whether it was carried
    /// out.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The reply is invalid.
    #[error("invalid reply: {0}")]
    Corrupt(String),
}

/// The node to call instead. A node that does not know its own name leaves out the host.
#[derive(Clone, Debug)]
pub(crate) struct Redirection {
    host: String,
    port: u16,
}

impl Redirection {
    fn parse(at: &str) -> Option<Self> {
        let (host, port) = at.rsplit_once(':')?;
        let host = if host == "?" { "" } else { host };
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    /// The node meant by a redirection from `requested`.
    pub(super) fn from(self, requested: &Node) -> Node {
        let host = if self.host.is_empty() { requested.host.clone() } else { self.host };
        Node { host, port: self.port }
    }
}

impl std::fmt::Display for Redirection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl From<RedisError> for Failure {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the client's list is open; a new kind counts as a refusal"
    )]
    fn from(error: RedisError) -> Self {
        let said = match error.code() {
            Some(code) => format!("{code} {}", error.detail().unwrap_or_default()),
            None => error.to_string(),
        };
        let to = || error.redirect_node().and_then(|(at, _)| Redirection::parse(at));
        match error.kind() {
            ErrorKind::Io => Self::Unknown(said),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Corrupt(said),
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::NotPrimary(said),
            ErrorKind::Server(
                ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown,
            ) => Self::NotYet(said),
            ErrorKind::Server(ServerErrorKind::Moved) => {
                to().map_or(Self::Corrupt(said), Self::Moved)
            }
            ErrorKind::Server(ServerErrorKind::Ask) => to().map_or(Self::Corrupt(said), Self::Ask),
            _ => Self::Refused(said),
        }
    }
}

impl From<PoolError<Self>> for Failure {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::TooManyWaiting => Self::Busy("too many calls wait for a connection"),
            PoolError::NoneFree => Self::Busy("no connection came free in time"),
            PoolError::NoneReady => Self::NoConnection("none was ready in time".to_owned()),
            PoolError::NotConnected(ConnectError::Failed(failure)) => failure,
            PoolError::NotConnected(error @ (ConnectError::TimedOut | ConnectError::Panicked)) => {
                Self::NoConnection(error.to_string())
            }
            PoolError::NoAnswer => Self::Unknown("the server did not answer".to_owned()),
            PoolError::Lost => Self::NoConnection("the call was lost".to_owned()),
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let word = match &failure {
            Failure::NotYet(said) | Failure::NotPrimary(said) | Failure::Refused(said) => {
                word_of(said)
            }
            Failure::Moved(_)
            | Failure::Ask(_)
            | Failure::NoScript
            | Failure::NoConnection(_)
            | Failure::Busy(_)
            | Failure::Unknown(_)
            | Failure::Corrupt(_) => None,
        };
        let kind = match &failure {
            Failure::Refused(_) if word.is_none_or(lets_nobody_in) => PortErrorKind::Unavailable,
            Failure::NoConnection(_) => PortErrorKind::Unavailable,
            Failure::Moved(_)
            | Failure::Ask(_)
            | Failure::NotYet(_)
            | Failure::NotPrimary(_)
            | Failure::NoScript
            | Failure::Refused(_) => PortErrorKind::NotReady,
            Failure::Busy(_) => PortErrorKind::Overloaded,
            Failure::Unknown(_) => PortErrorKind::Timeout,
            Failure::Corrupt(_) => PortErrorKind::Corrupt,
        };
        let error = Self::new(kind, Dependency::CACHE_REDIS);
        let error = match word {
            Some(word) => error.coded(word),
            None => error,
        };
        error.because(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_may_leave_out_the_host() {
        let requested = Node { host: "here".to_owned(), port: 1 };
        for (said, host) in
            [("there:7", "there"), (":7", "here"), ("?:7", "here"), ("::1:7", "::1")]
        {
            let node = Redirection::parse(said).unwrap().from(&requested);
            assert_eq!(node, Node { host: host.to_owned(), port: 7 }, "{said}");
        }
        assert!(Redirection::parse("there").is_none());
    }
}
