//! What can go wrong with Redis, and whether the command was carried out.

use domain::{Dependency, PortError, PortErrorKind};
use fred::error::{Error, ErrorKind};

/// Why a command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server is not, or no longer, the primary of these keys. Nothing was carried out.
    #[error("the server is not the primary of this queue: {0}")]
    NotPrimary(String),
    /// The keys are migrating, or the server is still loading. Nothing was carried out; a retry
    /// will soon work.
    #[error("the server cannot answer yet: {0}")]
    NotYet(String),
    /// The server does not know the script. Nothing was carried out.
    #[error("the server does not know the script")]
    NoScript,
    /// The only configured server is a replica, which takes no joins. Nothing was carried out.
    #[error("{0} is a replica")]
    Replica(String),
    /// The server denies access. Nothing was carried out.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server answers but refuses the command for now: it is full, read-only, short of
    /// replicas, part of an incomplete cluster, lacks a permission, or has a key with the wrong
    /// type or with a value that no step of this queue can have written. Nothing was carried out.
    #[error("the server refused: {0}")]
    Rejected(String),
    /// There is no connection. Nothing was carried out.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The in-flight limit is reached. Nothing was carried out.
    #[error("in-flight limit reached")]
    Busy,
    /// No answer within the limit, or the connection was lost first: unknown whether it was carried
    /// out.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// The primary has carried it out, but no replica had it within the limit: unknown whether it
    /// survives the primary.
    #[error("no replica acknowledged the write in time")]
    NotReplicated,
    /// The reply is invalid.
    #[error("invalid reply: {0}")]
    Corrupt(&'static str),
}

impl Failure {
    /// Whether the server is at the limit of its memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.word() == Some("OOM")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let said = in_own_words(error.details());
        match (error.kind(), said.split_whitespace().next().unwrap_or_default()) {
            // Only servers send these words, so the kind of the error does not matter.
            (_, "MOVED" | "READONLY") => Self::NotPrimary(said),
            (_, "ASK" | "TRYAGAIN" | "LOADING" | "BUSY") => Self::NotYet(said),
            (_, "NOSCRIPT") => Self::NoScript,
            (_, word) if lets_nobody_in(word) => Self::Refused(said),
            (
                _,
                "OOM" | "MISCONF" | "NOREPLICAS" | "MASTERDOWN" | "CLUSTERDOWN" | "NOPERM"
                | "WRONGTYPE" | "FOREIGN",
            ) => Self::Rejected(said),
            (ErrorKind::Auth, _) => Self::Refused(said),
            _ => Self::Unknown(said),
        }
    }
}

/// Redis 7.0 sends no error code for a permission a user lacks inside a script.
fn in_own_words(said: &str) -> String {
    match said.strip_prefix("ERR The user executing the script can't ") {
        Some(what) => format!("NOPERM the user cannot {what}"),
        None => said.to_owned(),
    }
}

/// The server error codes that metrics may carry as labels.
const WORDS: [&str; 16] = [
    "MOVED",
    "READONLY",
    "ASK",
    "TRYAGAIN",
    "LOADING",
    "BUSY",
    "NOAUTH",
    "WRONGPASS",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOPERM",
    "WRONGTYPE",
    "FOREIGN",
];

/// The error code a server error begins with.
pub(crate) fn word_of(said: &str) -> Option<&'static str> {
    let first = said.split_whitespace().next()?;
    WORDS.into_iter().find(|word| *word == first)
}

/// Whether this error code denies access to the client.
pub(crate) fn lets_nobody_in(word: &str) -> bool {
    matches!(word, "NOAUTH" | "WRONGPASS")
}

impl Failure {
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::NotPrimary(said)
            | Self::NotYet(said)
            | Self::Refused(said)
            | Self::Rejected(said) => word_of(said),
            Self::NotReplicated => Some("not_replicated"),
            Self::NoScript
            | Self::Replica(_)
            | Self::NoConnection(_)
            | Self::Busy
            | Self::Unknown(_)
            | Self::Corrupt(_) => None,
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Refused(_) | Failure::NoConnection(_) => PortErrorKind::Unavailable,
            Failure::NotPrimary(_)
            | Failure::NoScript
            | Failure::Replica(_)
            | Failure::NotYet(_)
            | Failure::Rejected(_) => PortErrorKind::NotReady,
            Failure::Busy => PortErrorKind::Overloaded,
            Failure::Unknown(_) | Failure::NotReplicated => PortErrorKind::Timeout,
            Failure::Corrupt(_) => PortErrorKind::Corrupt,
        };
        let error = Self::new(kind, Dependency::REDIS);
        let error = match failure.word() {
            Some(word) => error.coded(word),
            None => error,
        };
        error.because(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: &str) -> PortError {
        Failure::from(Error::new(ErrorKind::Unknown, said.to_owned())).into()
    }

    #[test]
    fn a_refusal_of_the_server_differs_from_an_unavailable_server() {
        for said in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "NOREPLICAS Not enough good replicas to write.",
            "READONLY You can't write against a read only replica.",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
            "MOVED 1234 127.0.0.1:7001",
            "NOPERM User default has no permissions to run the 'hset' command",
            "WRONGTYPE Operation against a key holding the wrong kind of value \
             script: 5f0c, on @user_script:1.",
        ] {
            let error = of(said);
            assert_eq!(error.kind(), PortErrorKind::NotReady, "{said}");
            assert_eq!(error.code(), said.split(' ').next(), "{said}");
        }
        let in_a_script =
            of("ERR The user executing the script can't run this command or subcommand");
        assert_eq!(
            (in_a_script.kind(), in_a_script.code()),
            (PortErrorKind::NotReady, Some("NOPERM"))
        );
        assert_eq!(of("NOAUTH Authentication required.").kind(), PortErrorKind::Unavailable);
        let unknown = of("ERR 10.1.2.3 is a teapot");
        assert_eq!((unknown.kind(), unknown.code()), (PortErrorKind::Timeout, None));
    }
}
