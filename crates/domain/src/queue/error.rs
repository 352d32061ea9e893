//! Everything that can go wrong around a line, each told apart (queue rule 9).

use std::time::Duration;

use super::Outlook;
use crate::PortError;

/// Why a text is not accepted as a waiting token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum TokenRejected {
    /// Not the form of a token at all.
    #[error("the token is malformed")]
    Malformed,
    /// A version this program does not read.
    #[error("the token has an unknown version")]
    UnknownVersion,
    /// Signed with a key that is not, or no longer, live.
    #[error("the token was signed with an unknown or retired key")]
    UnknownKey,
    /// The signature does not fit the content.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// A good token of another queue.
    #[error("the token belongs to another queue")]
    ForeignQueue,
    /// A good token of this queue's id, of a life that the queue does not know: of a rehearsal, or
    /// an earlier sale.
    #[error("the token belongs to another incarnation of this queue")]
    ForeignIncarnation,
}

/// Why nobody was added to the line.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// As many numbers wait as the policy lets wait.
    #[error("the line is full")]
    LineFull,
    /// The next number is above the ceiling: it must be remembered outside the store before it is given.
    #[error("the next number is not reserved yet")]
    AboveCeiling,
    /// This node has not followed what was skipped last, and would tell a wrong position: it takes
    /// a snapshot, and asks again.
    #[error("the view of the queue is behind what was skipped")]
    ViewBehind,
    /// The store could not tell; a join whose outcome is unknown is simply asked again by the same user.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// Why a claim gave no session.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The number was never given.
    #[error("no such place")]
    NotFound,
    /// Not called yet.
    #[error("not called yet")]
    NotYet,
    /// The call lapsed, the session ended, or the place was given back.
    #[error("the place is no longer good")]
    Gone,
    /// The place belongs to somebody else.
    #[error("somebody else's place")]
    NotHolder,
    /// The store could not tell.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// Why nothing was given back.
#[derive(Debug, thiserror::Error)]
pub enum GiveBackError {
    /// The number was never given.
    #[error("no such place")]
    NotFound,
    /// It had lapsed, ended or been given back before.
    #[error("the place is no longer good")]
    Gone,
    /// The place belongs to somebody else.
    #[error("somebody else's place")]
    NotHolder,
    /// The store could not tell.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// What the caller of a queue use case can act on.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The token is not accepted.
    #[error(transparent)]
    Forged(#[from] TokenRejected),
    /// The place is good, the turn has not come.
    #[error("not called yet")]
    NotYet(Outlook),
    /// The place was good once.
    #[error("the place is no longer good")]
    Gone,
    /// The line takes nobody for now; worth another try after this long.
    #[error("the line is full")]
    LineFull {
        /// About how long until numbers are given again.
        retry_after: Duration,
    },
    /// The store could not tell.
    #[error(transparent)]
    Store(#[from] PortError),
}
