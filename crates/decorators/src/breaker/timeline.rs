//! Time that never goes back, made of a clock that may.

use std::time::Duration;

/// Threads read the clock, may be held up, and then take the lock, so a reading may be older than the last; one that is
/// older than that says that the clock was set back.
const OUT_OF_ORDER: Duration = Duration::from_secs(10);

/// However far the clock leaps, time goes on by no more than this, so that there is always time left.
const LONGEST_LEAP: Duration = Duration::from_secs(1 << 32);

/// The time since a fixed moment. While the clock shows less than before it stands still; after the clock was set back it
/// goes on from where it stood, for what waits must end.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    clock: Duration,
    time: Duration,
}

impl Timeline {
    /// The time when the clock shows this.
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
