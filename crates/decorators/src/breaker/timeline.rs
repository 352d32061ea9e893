//! Monotonic time, derived from a clock that may go backwards.

use std::time::Duration;

/// A thread may read the clock and then wait for the lock, so a reading may be slightly older than
/// the last one. One that is older by more than this means the clock was set back.
const OUT_OF_ORDER: Duration = Duration::from_secs(10);

/// Limit on a single forward step of the clock, so that time does not reach the end of its range.
const LONGEST_LEAP: Duration = Duration::from_secs(1 << 32);

/// The time since a fixed moment. It stands still while the clock shows an earlier time than
/// before. After the clock was set back it continues from its last value, so that every wait ends.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    clock: Duration,
    time: Duration,
}

impl Timeline {
    /// The time that corresponds to this clock reading.
    pub(super) fn at(&mut self, clock: Duration) -> Duration {
        if let Some(passed) = clock.checked_sub(self.clock) {
            self.time = self.time.saturating_add(passed.min(LONGEST_LEAP));
            self.clock = clock;
        } else if self.clock - clock > OUT_OF_ORDER {
            self.clock = clock;
        }
        self.time
    }
}
