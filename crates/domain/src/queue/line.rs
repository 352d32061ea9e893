//! The two integers, the numbers they are made of, and what a store reports of them.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::Tally;
use crate::Timestamp;

/// A queue number: 1, 2, 3 … given at joining, never changed, never given twice in one queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueueNumber(NonZeroU64);

/// An integer that is no queue number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a queue number is a whole number from 1 to {}", QueueNumber::MAX)]
pub struct InvalidNumber;

impl QueueNumber {
    /// The highest number; 63 bits, so that every store can hold it in a signed integer.
    pub const MAX: u64 = i64::MAX as u64;

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

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The state of a line: the highest number given and the highest number called. Both only ever grow, and
/// `serving <= last` always holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
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

/// The numbers given back while still waiting, so that a position counts people, not numbers. Sorted, shared, cheap to
/// clone. A store may leave out the ones furthest back; a position is then an upper bound.
#[derive(Clone, Debug, Default)]
pub struct Departures(Arc<[u64]>);

impl Departures {
    /// Takes the numbers in any order.
    #[must_use]
    pub fn new(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers.into())
    }

    /// Takes numbers that are in ascending order, each once.
    #[must_use]
    pub fn from_sorted(numbers: Vec<u64>) -> Self {
        debug_assert!(numbers.is_sorted_by(|a, b| a < b), "in ascending order, each once");
        Self(numbers.into())
    }

    /// How many of them are not above `mark`.
    #[must_use]
    pub fn count_up_to(&self, mark: u64) -> u64 {
        self.0.partition_point(|&n| n <= mark) as u64
    }

    /// Whether this number was given back.
    #[must_use]
    pub fn contains(&self, number: QueueNumber) -> bool {
        self.0.binary_search(&number.get()).is_ok()
    }

    /// The position of a number in a line: two binary searches, so a million departures cost twenty comparisons.
    #[must_use]
    pub fn position_of(&self, number: QueueNumber, line: Line) -> Position {
        if line.has_called(number) {
            return Position::CALLED;
        }
        let gone_ahead = self.count_up_to(number.get() - 1) - self.count_up_to(line.serving);
        Position(number.get() - line.serving - gone_ahead)
    }
}

/// What a store reports of its line, as of one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The two integers.
    pub line: Line,
    /// Numbers given back while waiting and not yet passed by `serving`.
    pub departures: Departures,
    /// Calls that stand and are not claimed yet.
    pub called: u64,
    /// Sessions that run.
    pub active: u64,
    /// What has become of places so far.
    pub tally: Tally,
    /// Whether the store may have lost something and waits for its witnesses; see "Floors" at
    /// [`QueueStore`](super::QueueStore).
    pub recovers: bool,
    /// When this was true, by the store's own time.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: u64) -> QueueNumber {
        QueueNumber::new(n).unwrap()
    }

    #[test]
    fn a_position_is_the_people_ahead_plus_one_and_0_once_called() {
        let nobody_left = Departures::default();
        let line = Line::new(10, 4);
        assert_eq!(nobody_left.position_of(number(4), line), Position::CALLED);
        assert_eq!(nobody_left.position_of(number(5), line).get(), 1);
        assert_eq!(nobody_left.position_of(number(10), line).get(), 6);
    }

    #[test]
    fn people_who_left_are_not_counted_as_ahead() {
        let left = Departures::new(vec![9, 3, 6, 7]);
        let line = Line::new(10, 4);
        assert_eq!(left.position_of(number(5), line).get(), 1);
        assert_eq!(left.position_of(number(8), line).get(), 2, "6 and 7 left, 5 is ahead");
        assert_eq!(left.position_of(number(10), line).get(), 3, "5 and 8 are ahead");
        assert!(left.contains(number(9)) && !left.contains(number(8)));
    }

    #[test]
    fn raising_a_line_never_lowers_a_mark() {
        assert_eq!(Line::new(5, 3).raised_to(Line::new(4, 4)), Line::new(5, 4));
        assert_eq!(Line::new(2, 7), Line::new(7, 7), "whoever was called had a number");
    }
}
