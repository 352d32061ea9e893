//! The error every driven port shares: what kind of failure it was, and its cause.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What kind of failure a port met; decorators and the answer to the caller are decided on this alone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PortErrorKind {
    /// The dependency could not be reached or refused to work; the operation was not carried out.
    Unavailable,
    /// As many as may already wait for the dependency, or the wait took too long; the operation was not carried out.
    Overloaded,
    /// Not asked at all, because it has failed too often of late; the operation was not carried out.
    Refused,
    /// No answer within the limit; whether the operation was carried out is unknown.
    Timeout,
    /// The dependency answered something that cannot be true.
    Corrupt,
    /// The dependency answered that it does not do this for now: it is loading, full, read-only,
    /// without a replica, or does not permit it. The operation was not carried out. Other
    /// operations may work.
    NotReady,
}

impl fmt::Display for PortErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Refused => "not asked after too many failures",
            Self::Timeout => "timed out",
            Self::Corrupt => "corrupt answer",
            Self::NotReady => "not ready",
        })
    }
}

/// "Could not find out": a port failed. Absence is never an error, it is `None` or a state. A clone is the same failure, told
/// to one more of those who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{dependency}: {kind}")]
pub struct PortError {
    kind: PortErrorKind,
    dependency: &'static str,
    retry_after: Option<Duration>,
    code: Option<&'static str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PortError {
    /// A failure of `dependency` without a further cause.
    #[must_use]
    pub fn new(kind: PortErrorKind, dependency: &'static str) -> Self {
        Self { kind, dependency, retry_after: None, code: None, source: None }
    }

    /// The same failure with what caused it.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(Arc::from(cause.into())), ..self }
    }

    /// The same failure, with how long from now trying again makes sense.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The same failure with the dependency's own word for it, such as `OOM`: one of a small fixed
    /// set, since metrics carry it.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The dependency's own word for the failure; `None` where it said none.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// How long from when it failed trying again makes sense; `None` where nobody knows.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The dependency that failed, as an operator knows it: `"queue store"`, `"catalogue"`.
    #[must_use]
    pub fn dependency(&self) -> &'static str {
        self.dependency
    }
}
