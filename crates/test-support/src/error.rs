//! Why a service could not be had.

use std::io;

/// A service could not be started or asked; one line that says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    /// Something failed, in words.
    #[error("{0}")]
    Failed(String),
    /// An I/O error, and what was being done.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
}

pub(crate) type Outcome<T = ()> = Result<T, SupportError>;

pub(crate) fn failed(what: impl Into<String>) -> SupportError {
    SupportError::Failed(what.into())
}

/// Says what was being done when an I/O error came.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Outcome<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| SupportError::Io(what.into(), error))
    }
}
