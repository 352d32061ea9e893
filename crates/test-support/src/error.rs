//! The error type of tasks, shared by this crate and `xtask`.

use std::io;

/// A failed task. The message is one line, with a remedy if there is one, or a list of findings.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A failure described in words.
    #[error("{0}")]
    Failed(String),
    /// An I/O error, and the operation that failed.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

/// The result of a task.
pub type Outcome<T = ()> = Result<T, TaskError>;

/// A failure described in words.
pub fn failed(what: impl Into<String>) -> TaskError {
    TaskError::Failed(what.into())
}

/// Adds the operation to an I/O error.
pub trait Doing<T> {
    /// Adds the operation to the error.
    ///
    /// # Errors
    /// The I/O error.
    fn doing(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| TaskError::Io(what.into(), error))
    }
}
