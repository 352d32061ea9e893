//! Which errors of a port mean that its dependency failed.

use domain::PortError;
use domain::queue::{ClaimError, JoinError, ReleaseError};

/// An error of a port method. A business refusal, such as a full queue, is not a failure: the
/// dependency works.
pub trait PortFailure: From<PortError> + Send {
    /// The dependency failure, if this error is one.
    fn failure(&self) -> Option<&PortError>;
}

impl PortFailure for PortError {
    fn failure(&self) -> Option<&PortError> {
        Some(self)
    }
}

impl PortFailure for JoinError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::QueueFull | Self::AboveCeiling | Self::ViewBehind => None,
        }
    }
}

impl PortFailure for ClaimError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::NotFound | Self::NotYet | Self::Gone | Self::NotHolder => None,
        }
    }
}

impl PortFailure for ReleaseError {
    fn failure(&self) -> Option<&PortError> {
        match self {
            Self::Store(error) => Some(error),
            Self::NotFound | Self::Gone | Self::NotHolder => None,
        }
    }
}
