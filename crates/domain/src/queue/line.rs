//! The two integers, the numbers they are made of, and what a store reports of them.

use std::fmt;
use std::num::NonZeroU64;

use super::{Incarnations, Occupancy, QueueTime, Tally, VacantNumbers};

/// A queue number: 1, 2, 3 … given at joining, never changed, never given twice in one queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueueNumber(NonZeroU64);

/// An integer that is no queue number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a queue number is a whole number from 1 to {}", QueueNumber::MAX)]
pub struct InvalidNumber;

impl QueueNumber {
    /// The highest number, 2^40 - 1: 3.5 years of 10,000 joins a second. Stores and clients that
    /// count with floating-point numbers hold it exactly, and so whatever is added to it. A higher
    /// one was never given.
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

/// How many people are ahead, plus one; 0 once called.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position(u64);

impl Position {
    /// Nobody is ahead and the turn has come.
    pub const CALLED: Self = Self(0);
    /// Nobody is ahead, and the turn has not come.
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

/// The state of a line: the highest number given and the highest number called. Both only ever grow, and
/// `serving <= last` always holds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Line {
    last: u64,
    serving: u64,
}

impl Line {
    /// A line nobody joined yet.
    pub const START: Self = Self { last: 0, serving: 0 };

    /// A line at these marks; `last` is raised to `serving` where it is lower, since whoever was called had a number.
    #[must_use]
    pub fn new(last: u64, serving: u64) -> Self {
        Self { last: last.max(serving), serving }
    }

    /// The highest number given, 0 on a line nobody joined yet.
    #[must_use]
    pub fn last(self) -> u64 {
        self.last
    }

    /// The highest number called, 0 before the first call.
    #[must_use]
    pub fn serving(self) -> u64 {
        self.serving
    }

    /// How many numbers wait for their call, counting those given back meanwhile.
    #[must_use]
    pub fn waiting(self) -> u64 {
        self.last - self.serving
    }

    /// Whether this number has been called.
    #[must_use]
    pub fn has_called(self, number: QueueNumber) -> bool {
        number.get() <= self.serving
    }

    /// The line at the higher of each mark: what is left when two witnesses of one line are believed both.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        Self { last: self.last.max(other.last), serving: self.serving.max(other.serving) }
    }
}

/// What a store reports of its line, as of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The two integers.
    pub line: Line,
    /// The numbers nobody waits behind. Complete, whatever their number.
    pub vacant: VacantNumbers,
    /// Calls that stand and are not claimed yet.
    pub called: u64,
    /// Sessions that run.
    pub active: u64,
    /// What has become of places so far.
    pub tally: Tally,
    /// How the slots are used.
    pub occupancy: Occupancy,
    /// How often the store could not rule out that it had lost something; see "Floors" at
    /// [`QueueStore`](super::QueueStore).
    pub generation: u64,
    /// The lives of the queue whose tokens the store accepts; none where it could not tell yet.
    pub incarnations: Incarnations,
    /// Whether the store, which has no memory, would accept a token of another life too.
    pub adopts: bool,
    /// Whether a checkpoint was read since; see [`QueueStore::settle`](super::QueueStore::settle).
    pub is_settled: bool,
    /// Whether the store may have lost something and waits for its witnesses.
    pub recovers: bool,
    /// Whether the node that asked may give numbers: the store is in no doubt, and trusts the node.
    pub may_join: bool,
    /// When this was true, in the queue's own time.
    pub at: QueueTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_a_line_never_lowers_a_mark() {
        assert_eq!(Line::new(5, 3).raised_to(Line::new(4, 4)), Line::new(5, 4));
        assert_eq!(Line::new(2, 7), Line::new(7, 7), "whoever was called had a number");
    }
}
