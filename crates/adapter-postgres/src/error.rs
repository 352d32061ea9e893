//! Database errors: setup errors for operators, query errors for callers.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use diesel::result::Error as QueryError;
use domain::{Dependency, PortError, PortErrorKind};
use tokio_postgres::error::{DbError, SqlState};

use crate::address::PostgresAddress;
use crate::pooler::{self, Refusal};
use crate::sqlstates::Blame;

/// Why a database cannot be used. Each message is one line, without secrets.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SetupError {
    /// The server does not respond, or not now. Retrying may help.
    #[error("Postgres at {at} cannot be reached: {why}")]
    Unreachable {
        /// The address.
        at: String,
        /// The error of the system or the server.
        why: String,
    },
    /// Wrong user or password.
    #[error("Postgres at {at} refuses the user: {why} (wrong password, or no such user)")]
    Credentials {
        /// The address.
        at: String,
        /// The server's message.
        why: String,
    },
    /// No such user, or no rule of the server admits it from this host.
    #[error("Postgres at {at} refuses the user: {why}")]
    NotLetIn {
        /// The address.
        at: String,
        /// The server's message.
        why: String,
    },
    /// No such database.
    #[error("Postgres at {at}: there is no database {database:?}")]
    NoDatabase {
        /// The address.
        at: String,
        /// The name.
        database: String,
    },
    /// The user lacks a privilege.
    #[error(
        "Postgres at {at}: the user {user:?} lacks a privilege: {why} \
         (migrations/README.md lists the grants)"
    )]
    Forbidden {
        /// The address.
        at: String,
        /// The user.
        user: String,
        /// The server's message.
        why: String,
    },
    /// The schema lacks migrations that this program needs.
    #[error(
        "Postgres at {at}: the schema is older than this program needs ({missing}): \
         run `boxoffice migrate`"
    )]
    SchemaTooOld {
        /// The address.
        at: String,
        /// The first missing migration.
        missing: String,
    },
    /// Another worker holds the lock for this work.
    #[error(
        "Postgres at {at}: another {who} has been running for {seconds} s; \
         try again when it is done"
    )]
    AnotherAtWork {
        /// The address.
        at: String,
        /// What kind of worker it is.
        who: &'static str,
        /// How long this one waited.
        seconds: u64,
    },
    /// A statement failed for another reason.
    #[error("Postgres at {at}: {why}")]
    Failed {
        /// The address.
        at: String,
        /// The server's message.
        why: String,
    },
    /// A pooler answers, and `postgres.pooler` does not say so.
    #[error(
        "Postgres at {at} is behind a connection pooler ({why}): set `postgres.pooler` to its pool \
         mode, \"session\" or \"transaction\""
    )]
    Pooler {
        /// The address.
        at: String,
        /// What showed it.
        why: String,
    },
    /// A pooler in transaction mode answers, and `postgres.pooler` says `session`.
    #[error(
        "Postgres at {at} is behind a connection pooler in transaction mode: set `postgres.pooler` \
         to \"transaction\""
    )]
    SharedServer {
        /// The address.
        at: String,
    },
    /// An encrypted connection could not be established.
    #[error("no TLS: {why}")]
    Tls {
        /// The cause.
        why: String,
    },
    /// TLS is required, and there are no root certificates to verify the server.
    #[error("no TLS: this machine has no root certificates (SSL_CERT_FILE names others)")]
    NoRootCertificates,
}

impl SetupError {
    /// Classifies a driver error.
    pub(crate) fn of(error: &tokio_postgres::Error, address: &PostgresAddress) -> Self {
        let at = address.to_string();
        let Some(database) = error.as_db_error() else { return Self::without_code(error, at) };
        let why = one_line(database.message());
        match database.code() {
            &SqlState::INVALID_PASSWORD => Self::Credentials { at, why },
            // No such role, or no rule in pg_hba.conf admits it from this host; the server's
            // message says which.
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::NotLetIn { at, why },
            &SqlState::INVALID_CATALOG_NAME => {
                Self::NoDatabase { at, database: address.database().to_owned() }
            }
            &SqlState::INSUFFICIENT_PRIVILEGE => {
                Self::Forbidden { at, user: address.user().to_owned(), why }
            }
            &SqlState::PROTOCOL_VIOLATION => Self::of_a_pooler(at, address, why),
            code if is_passing(code) => Self::Unreachable { at, why },
            _ => Self::Failed { at, why },
        }
    }

    /// Poolers have one code for almost all of their errors.
    fn of_a_pooler(at: String, address: &PostgresAddress, why: String) -> Self {
        match pooler::refusal(&why) {
            Some(Refusal::Credentials) => Self::Credentials { at, why },
            Some(Refusal::NotLetIn) => Self::NotLetIn { at, why },
            Some(Refusal::NoDatabase) => {
                Self::NoDatabase { at, database: address.database().to_owned() }
            }
            Some(Refusal::Options) => Self::Pooler { at, why },
            None => Self::Unreachable { at, why },
        }
    }

    fn without_code(error: &tokio_postgres::Error, at: String) -> Self {
        let cause = error.source();
        let why = one_line(&cause.map_or_else(|| error.to_string(), ToString::to_string));
        let wire = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        // The driver does not expose its kinds of error. A rejected certificate is an I/O error of
        // one of these kinds; other I/O errors during a handshake come from the network.
        let is_refusal = |wire: &io::Error| {
            matches!(wire.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        };
        let is_tls = match wire {
            Some(wire) => is_refusal(wire),
            None => error.to_string().starts_with("error performing TLS handshake"),
        };
        if is_tls {
            Self::Tls { why: format!("Postgres at {at}: {why}") }
        } else if wire.is_some() || error.is_closed() {
            Self::Unreachable { at, why }
        } else {
            Self::Failed { at, why }
        }
    }

    pub(crate) fn unreachable(address: &PostgresAddress, why: &str) -> Self {
        Self::Unreachable { at: address.to_string(), why: why.to_owned() }
    }

    pub(crate) fn failed(address: &PostgresAddress, why: impl std::fmt::Display) -> Self {
        Self::Failed { at: address.to_string(), why: one_line(&why.to_string()) }
    }

    pub(crate) fn pooler(address: &PostgresAddress, why: &str) -> Self {
        Self::Pooler { at: address.to_string(), why: why.to_owned() }
    }

    pub(crate) fn another(address: &PostgresAddress, who: &'static str, waited: Duration) -> Self {
        Self::AnotherAtWork { at: address.to_string(), who, seconds: waited.as_secs() }
    }

    /// Whether waiting may help without anyone changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl From<SetupError> for PortError {
    fn from(error: SetupError) -> Self {
        Self::new(PortErrorKind::Unavailable, Dependency::POSTGRES).because(error)
    }
}

/// The address and the user are fine, and a later attempt may succeed: the connection was lost, a
/// limit was reached, or the server is out of resources (class 53).
fn is_passing(code: &SqlState) -> bool {
    matches!(Blame::of_code(code), Blame::Connection | Blame::Limit)
        || code.code().starts_with("53")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The query was refused before it ran.
pub(crate) fn overloaded(why: &'static str) -> PortError {
    PortError::new(PortErrorKind::Overloaded, Dependency::POSTGRES).because(why)
}

/// Why a query has no result.
pub(crate) enum Failed {
    /// The query failed: diesel's error, and the driver's if there is one.
    CallOutcome(QueryError, Option<tokio_postgres::Error>),
    /// The connection was at fault, and a new one could not be opened.
    NotConnected(SetupError),
}

/// For operators: the query, the server's message and the SQLSTATE, because messages are in the
/// server's language.
#[derive(Debug, thiserror::Error)]
#[error("{query}: {why}")]
struct Unanswered {
    query: &'static str,
    why: String,
}

impl Failed {
    pub(crate) fn new(error: QueryError, driver: Option<tokio_postgres::Error>) -> Self {
        Self::CallOutcome(error, driver)
    }

    /// What is at fault.
    pub(crate) fn blame(&self) -> Blame {
        match self {
            // No query here begins a transaction, so the connection already had one open.
            Self::CallOutcome(QueryError::AlreadyInTransaction, _) => Blame::Connection,
            Self::CallOutcome(_, Some(error)) => {
                error.as_db_error().map_or(Blame::Connection, Blame::of)
            }
            Self::CallOutcome(_, None) | Self::NotConnected(_) => Blame::Query,
        }
    }

    /// The server's SQLSTATE.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::CallOutcome(_, Some(error)) => error.code().map_or("", SqlState::code),
            Self::CallOutcome(_, None) | Self::NotConnected(_) => "",
        }
    }

    /// Converts to the error of the port.
    pub(crate) fn into_port_error(self, query: &'static str) -> PortError {
        let blame = self.blame();
        let (kind, why) = match self {
            Self::NotConnected(error) => return error.into(),
            Self::CallOutcome(error @ QueryError::DeserializationError(_), _) => {
                (PortErrorKind::Corrupt, error.to_string())
            }
            Self::CallOutcome(_, Some(error)) if blame == Blame::Limit => {
                (PortErrorKind::Timeout, said(&error))
            }
            Self::CallOutcome(_, Some(error)) => (PortErrorKind::Unavailable, said(&error)),
            Self::CallOutcome(error, None) => (PortErrorKind::Unavailable, error.to_string()),
        };
        unanswered(kind, query, why)
    }
}

/// An error that names its query.
pub(crate) fn unanswered(kind: PortErrorKind, query: &'static str, why: String) -> PortError {
    PortError::new(kind, Dependency::POSTGRES).because(Unanswered { query, why })
}

fn said(error: &tokio_postgres::Error) -> String {
    let with_code =
        |said: &DbError| format!("{} (SQLSTATE {})", one_line(said.message()), said.code().code());
    let plain = || match error.source() {
        Some(cause) => format!("{error}: {}", one_line(&cause.to_string())),
        None => error.to_string(),
    };
    error.as_db_error().map_or_else(plain, with_code)
}

/// An impossible row, written by something that bypassed the migrations' constraints.
pub(crate) fn corrupt(cause: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::new(PortErrorKind::Corrupt, Dependency::POSTGRES).because(cause)
}
