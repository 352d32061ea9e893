//! Queue numbers, and positions in the queue.

use std::fmt;
use std::num::NonZeroU64;

/// A queue number: 1, 2, 3 … issued at joining, never changed, never reissued in one queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueueNumber(NonZeroU64);

/// The integer is not a queue number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a queue number is a whole number from 1 to {}", QueueNumber::MAX)]
pub struct InvalidNumber;

impl QueueNumber {
    /// The highest number, 2^40 - 1: 3.5 years of 10,000 joins a second. Stores and clients that
    /// count with floating-point numbers represent it exactly, with room for additions. Higher
    /// numbers are never issued.
    pub const MAX: u64 = (1 << 40) - 1;

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidNumber`] for 0 and for anything above [`QueueNumber::MAX`].
    pub fn new(value: u64) -> Result<Self, InvalidNumber> {
        NonZeroU64::new(value).filter(|n| n.get() <= Self::MAX).map(Self).ok_or(InvalidNumber)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for QueueNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of people ahead, plus one; 0 once called.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position(u64);

impl Position {
    /// Called.
    pub const CALLED: Self = Self(0);
    /// First in the queue, but not called yet.
    pub const NEXT: Self = Self(1);

    pub(super) fn new(position: u64) -> Self {
        Self(position)
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}
