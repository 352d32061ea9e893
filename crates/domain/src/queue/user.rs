//! The users of a queue.

use crate::id::positive_id;

positive_id! {
    /// A person, by their number in the upstream accounts system.
    UserId, InvalidUserId, "user id"
}
