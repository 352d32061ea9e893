//! The price of joining: a puzzle that a client solves first, and its difficulty.

mod difficulty;

pub use difficulty::{
    Difficulty, DifficultyControl, DifficultyRule, InvalidDifficulty, InvalidDifficultyRule,
};

use super::UserId;
use crate::Timestamp;

/// A puzzle for one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JoinPuzzle {
    /// The signed text to solve. It carries the user and the expiry, and cannot be altered.
    pub text: String,
    /// The difficulty.
    pub difficulty: Difficulty,
    /// Rounds of hashing per attempt.
    pub iterations: u32,
    /// The number of successful attempts that a solution needs.
    pub parts: u8,
}

/// The reason a solution is not accepted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum PuzzleRejected {
    /// Not in the form of a solution.
    #[error("the solution is malformed")]
    Malformed,
    /// Altered, or signed with a key that is not, or no longer, live.
    #[error("the puzzle was not issued here")]
    NotOurs,
    /// A valid puzzle of another queue.
    #[error("the puzzle belongs to another queue")]
    OtherQueue,
    /// A valid puzzle of another user.
    #[error("the puzzle belongs to another user")]
    OtherUser,
    /// Issued too long ago.
    #[error("the puzzle has expired")]
    Expired,
    /// Easier than the lowest difficulty in use.
    #[error("the puzzle is too easy")]
    TooEasy,
    /// Too few or too many parts, or not in ascending order.
    #[error("the solution does not have the required parts in ascending order")]
    WrongParts,
    /// A part is not a solution.
    #[error("a part of the solution is wrong")]
    Unsolved,
}

impl PuzzleRejected {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::NotOurs,
        Self::OtherQueue,
        Self::OtherUser,
        Self::Expired,
        Self::TooEasy,
        Self::WrongParts,
        Self::Unsolved,
    ];

    /// A label that does not change between versions.
    #[must_use]
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotOurs => "not_ours",
            Self::OtherQueue => "other_queue",
            Self::OtherUser => "other_user",
            Self::Expired => "expired",
            Self::TooEasy => "too_easy",
            Self::WrongParts => "wrong_parts",
            Self::Unsolved => "unsolved",
        }
    }
}

/// Issues puzzles of one queue and checks solutions without calling a store. Pure computation: it
/// never blocks, and checking takes far less than solving.
///
/// Every node whose keys include the signing key accepts a puzzle. It holds for one user and for a
/// short time. Within that time a solution is accepted any number of times, because joining again
/// finds the same place.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait PuzzleIssuer: Send + Sync {
    /// A puzzle for this user, issued at `now`.
    fn issue(&self, user: UserId, difficulty: Difficulty, now: Timestamp) -> JoinPuzzle;

    /// Checks a client's solution of a puzzle of `user`, which must be at least as hard as
    /// `lowest`.
    ///
    /// # Errors
    /// [`PuzzleRejected`]; each variant says when.
    fn check(
        &self,
        solution: &str,
        user: UserId,
        lowest: Difficulty,
        now: Timestamp,
    ) -> Result<(), PuzzleRejected>;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_has_its_own_label() {
        let names: HashSet<_> =
            PuzzleRejected::ALL.iter().map(|reason| reason.as_label()).collect();
        assert_eq!(names.len(), PuzzleRejected::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
