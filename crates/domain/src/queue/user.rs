//! Who stands in line.

use crate::id::positive_id;

positive_id! {
    /// A person, as the accounts system in front of us numbers them.
    UserId, InvalidUserId, "user id"
}
