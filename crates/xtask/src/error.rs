//! Why a task failed.

use std::io;

use test_support::SupportError;

/// A task did not do what it should; one line, or a list of findings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    #[error("{0}")]
    Failed(String),
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
    #[error(transparent)]
    Service(#[from] SupportError),
}

/// What a task comes to.
pub(crate) type Outcome<T = ()> = Result<T, TaskError>;

/// A failure in words.
pub(crate) fn failed(what: impl Into<String>) -> TaskError {
    TaskError::Failed(what.into())
}

/// Says what was being done when an I/O error came.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| TaskError::Io(what.into(), error))
    }
}
