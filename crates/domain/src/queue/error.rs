//! Errors of the queue, one variant for each case that callers distinguish (queue rule 9).

use std::time::Duration;

use super::QueueStatus;
use crate::PortError;

/// The reason a text is not accepted as a waiting token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum TokenRejected {
    /// Not in the form of a token.
    #[error("the token is malformed")]
    Malformed,
    /// An unsupported version.
    #[error("the token has an unknown version")]
    UnknownVersion,
    /// Signed with a key that is not, or no longer, live.
    #[error("the token was signed with an unknown or retired key")]
    UnknownKey,
    /// The signature does not match the content.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A valid token of another queue.
    #[error("the token belongs to another queue")]
    ForeignQueue,
    /// A valid token of this queue's id, of an unknown incarnation: of a rehearsal, or of an
    /// earlier sale.
    #[error("the token belongs to another incarnation of this queue")]
    ForeignIncarnation,
}

/// The reason a join issued no number.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The queue holds as many waiting numbers as the policy allows.
    #[error("the queue is full")]
    QueueFull,
    /// The next number is above the ceiling: it must be reserved in the checkpoint before it is
    /// issued.
    #[error("the next number is not reserved yet")]
    AboveCeiling,
    /// This node does not know the numbers skipped last, and would report a wrong position. It must
    /// take a snapshot and retry.
    #[error("the view of the queue lacks the last skipped numbers")]
    ViewBehind,
    /// The store failed. If the outcome of a join is unknown, the same user may safely retry it.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// The reason a claim opened no session.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The number was never issued.
    #[error("no such place")]
    NotFound,
    /// Not called yet.
    #[error("not called yet")]
    NotYet,
    /// The call lapsed, the session ended, or the place was released.
    #[error("the place is no longer valid")]
    Gone,
    /// The place belongs to another user.
    #[error("the place belongs to another user")]
    NotHolder,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// The reason nothing was released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The number was never issued.
    #[error("no such place")]
    NotFound,
    /// The place had lapsed, ended or been released before.
    #[error("the place is no longer valid")]
    Gone,
    /// The place belongs to another user.
    #[error("the place belongs to another user")]
    NotHolder,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// The errors of the queue's use cases that a caller can act on.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The token is not accepted.
    #[error(transparent)]
    Forged(#[from] TokenRejected),
    /// The place is valid, but not called yet.
    #[error("not called yet")]
    NotYet(QueueStatus),
    /// The place is no longer valid.
    #[error("the place is no longer valid")]
    Gone,
    /// The queue is full for now; retry after this delay.
    #[error("the queue is full")]
    QueueFull {
        /// The approximate time until the queue issues numbers again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] PortError),
}
