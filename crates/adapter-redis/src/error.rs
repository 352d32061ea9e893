//! What can go wrong between us and a Redis, and what is then known of the question.

use domain::{PortError, PortErrorKind};
use fred::error::{Error, ErrorKind};

/// The dependency's name, as an operator knows it.
pub(crate) const QUEUE_REDIS: &str = "redis";

/// Why a question has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// This is not the primary of these keys, or not any more. Nothing was carried out.
    #[error("the server is not the primary of this queue: {0}")]
    NotPrimary(String),
    /// The keys are on the move, or the server is still loading. Nothing was carried out; soon it can be.
    #[error("the server cannot answer yet: {0}")]
    NotYet(String),
    /// The server does not know the script. Nothing was carried out.
    #[error("the server does not know the script")]
    NoScript,
    /// The only server there is is a replica, which takes no joins. Nothing was carried out.
    #[error("{0} is a replica")]
    Replica(String),
    /// The server refused. Nothing was carried out.
    #[error("the server refused: {0}")]
    Refused(String),
    /// There is no connection. Nothing was carried out.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// As many questions are under way as may be. Nothing was carried out.
    #[error("as many questions are under way as may be")]
    Busy,
    /// No answer within the limit, or the connection was lost before it came: unknown whether it was carried out.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// An answer that cannot be true.
    #[error("the answer makes no sense: {0}")]
    Corrupt(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let said = error.details().to_owned();
        match (error.kind(), said.split_whitespace().next().unwrap_or_default()) {
            // Only servers say these words, so the kind of the error does not matter.
            (_, "MOVED" | "READONLY") => Self::NotPrimary(said),
            (_, "ASK" | "TRYAGAIN" | "LOADING" | "BUSY") => Self::NotYet(said),
            (_, "NOSCRIPT") => Self::NoScript,
            (_, "OOM" | "NOAUTH" | "NOPERM" | "WRONGPASS" | "MISCONF" | "NOREPLICAS" | "MASTERDOWN") => {
                Self::Refused(said)
            }
            (ErrorKind::Auth, _) => Self::Refused(said),
            _ => Self::Unknown(said),
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::NotPrimary(_)
            | Failure::NotYet(_)
            | Failure::NoScript
            | Failure::Replica(_)
            | Failure::Refused(_)
            | Failure::NoConnection(_) => PortErrorKind::Unavailable,
            Failure::Busy => PortErrorKind::Overloaded,
            Failure::Unknown(_) => PortErrorKind::Timeout,
            Failure::Corrupt(_) => PortErrorKind::Corrupt,
        };
        Self::new(kind, QUEUE_REDIS).because(failure)
    }
}
