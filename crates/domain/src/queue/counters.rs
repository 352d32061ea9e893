//! The two counters of a queue.

use super::QueueNumber;

/// The state of a queue: the highest number issued and the highest number called. Both only grow,
/// and `serving <= last` always holds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct QueueCounters {
    last: u64,
    serving: u64,
}

impl QueueCounters {
    /// A queue before the first join.
    pub const START: Self = Self { last: 0, serving: 0 };

    /// Counters at these values. A `last` below `serving` is raised to it, because every number
    /// called was issued before.
    #[must_use]
    pub fn new(last: u64, serving: u64) -> Self {
        Self { last: last.max(serving), serving }
    }

    /// The highest number issued, 0 before the first join.
    #[must_use]
    pub fn last(self) -> u64 {
        self.last
    }

    /// The highest number called, 0 before the first call.
    #[must_use]
    pub fn serving(self) -> u64 {
        self.serving
    }

    /// The numbers issued and not called yet, including abandoned ones.
    #[must_use]
    pub fn waiting(self) -> u64 {
        self.last - self.serving
    }

    /// Whether this number has been called.
    #[must_use]
    pub fn has_called(self, number: QueueNumber) -> bool {
        number.get() <= self.serving
    }

    /// The higher of each counter, which combines the reports of two witnesses.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        Self { last: self.last.max(other.last), serving: self.serving.max(other.serving) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_a_line_never_lowers_a_mark() {
        assert_eq!(
            QueueCounters::new(5, 3).raised_to(QueueCounters::new(4, 4)),
            QueueCounters::new(5, 4)
        );
        assert_eq!(
            QueueCounters::new(2, 7),
            QueueCounters::new(7, 7),
            "a called number was issued"
        );
    }
}
