//! Why a task of this repository failed: shared by what runs services and by `xtask`, which runs everything.

use std::io;

/// Something did not do what it should; one line that says what to do where something can be done, or a list of findings.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// In words.
    #[error("{0}")]
    Failed(String),
    /// An I/O error, and what was being done.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

/// What a task comes to.
pub type Outcome<T = ()> = Result<T, TaskError>;

/// A failure in words.
pub fn failed(what: impl Into<String>) -> TaskError {
    TaskError::Failed(what.into())
}

/// Says what was being done when an I/O error came.
pub trait Doing<T> {
    /// The same, with what was being done.
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
