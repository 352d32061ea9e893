//! The error all driven ports share: the kind of failure, and its cause.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Dependency;

/// The kind of a port's failure. Decorators and the HTTP mapping depend on nothing else.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PortErrorKind {
    /// The dependency could not be reached or refused to work; the operation was not carried out.
    Unavailable,
    /// The limit of waiting calls is reached, or the wait took too long; the operation was not
    /// carried out.
    Overloaded,
    /// The dependency has failed too often recently, so the call was not made.
    Refused,
    /// No response within the limit. Whether the operation was carried out is unknown.
    Timeout,
    /// The dependency returned a response that cannot be true.
    Corrupt,
    /// The dependency rejects the operation for now: it is loading, full, read-only, without a
    /// replica, or does not permit it. The operation was not carried out. Other operations may
    /// work.
    NotReady,
}

impl fmt::Display for PortErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Refused => "rejected after too many failures",
            Self::Timeout => "timed out",
            Self::Corrupt => "corrupt response",
            Self::NotReady => "not ready",
        })
    }
}

/// A port failed: the result is unknown. Absence is not an error but `None` or a state. A clone is
/// the same failure, for another caller that waited on the same operation.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{dependency}: {kind}")]
pub struct PortError {
    kind: PortErrorKind,
    dependency: Dependency,
    retry_after: Option<Duration>,
    code: Option<&'static str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl PortError {
    /// A failure of `dependency` without a further cause.
    #[must_use]
    pub fn new(kind: PortErrorKind, dependency: Dependency) -> Self {
        Self { kind, dependency, retry_after: None, code: None, source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(Arc::from(cause.into())), ..self }
    }

    /// Adds the delay after which a retry makes sense.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// Adds the dependency's own error code, such as `OOM`. It must come from a small fixed set,
    /// because metrics carry it.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The dependency's own error code, if it returned one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The delay, from the failure on, after which a retry makes sense; `None` if unknown.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The dependency that failed.
    #[must_use]
    pub fn dependency(&self) -> Dependency {
        self.dependency
    }
}
