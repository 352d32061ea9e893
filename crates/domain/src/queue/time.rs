//! The queue's own time, which measures calls, sessions, the budget and pauses.

use std::ops::Add;
use std::time::Duration;

/// A moment in the queue's own time, in microseconds since the queue began.
///
/// Each step of a store advances this time by the time since the step before, according to its
/// server's clock, but never back and never by more than [`QueueTime::LONGEST_STEP`]. So it stops
/// while the store is unavailable, and no step of a clock, in either direction, shortens or
/// lengthens a call or a session by more than that.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueueTime(u64);

impl QueueTime {
    /// The beginning of a queue.
    pub const START: Self = Self(0);
    /// The most time that one step of a store adds.
    pub const LONGEST_STEP: Duration = Duration::from_secs(1);

    /// This many microseconds after the queue began.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the queue began.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time after a step of a store. Its server's clock read `before` at the previous step, and
    /// reads `now`; both are in microseconds since any fixed moment.
    #[must_use]
    pub fn after_step(self, before: u64, now: u64) -> Self {
        let max = micros(Self::LONGEST_STEP);
        Self(self.0.saturating_add(now.saturating_sub(before).min(max)))
    }

    /// The moment this long before, but not before the queue began.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for QueueTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// When a call or a session ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Expiry {
    /// The moment, in the queue's own time: the same in each response about this call or session.
    pub at: QueueTime,
    /// The time from the response until then. A client adds it to its own clock.
    pub remaining: Duration,
}

impl Expiry {
    /// The end at `at`, as of `now`.
    #[must_use]
    pub fn new(at: QueueTime, now: QueueTime) -> Self {
        Self { at, remaining: at.since(now) }
    }

    /// The moment of the response; the end itself if that has passed.
    #[must_use]
    pub fn now(&self) -> QueueTime {
        self.at.before(self.remaining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_step_adds_what_passed_but_never_more_than_a_second_and_never_goes_back() {
        let now = QueueTime::from_micros(5 * SECOND);
        let after = |before, clock| now.after_step(before, clock).as_micros();
        assert_eq!(after(100, 350), 5 * SECOND + 250);
        assert_eq!(after(100, 100), 5 * SECOND, "no time has passed");
        assert_eq!(after(0, SECOND), 6 * SECOND);
        assert_eq!(after(0, SECOND + 1), 6 * SECOND, "an outage adds no more than a second");
        assert_eq!(after(60 * SECOND, 0), 5 * SECOND, "a clock that is set back");
        assert_eq!(QueueTime::from_micros(u64::MAX).after_step(0, 1).as_micros(), u64::MAX);
    }

    #[test]
    fn durations_between_moments_are_never_negative() {
        let (early, late) = (QueueTime::START, QueueTime::START + Duration::from_millis(7));
        assert_eq!(late.as_micros(), 7_000);
        assert_eq!(
            (late.since(early), early.since(late)),
            (Duration::from_millis(7), Duration::ZERO)
        );
        assert_eq!(
            (late.before(Duration::from_millis(5)).as_micros(), early.before(Duration::MAX)),
            (2_000, early)
        );
        assert_eq!((late + Duration::MAX).as_micros(), u64::MAX);
        let expiry = Expiry::new(late, early);
        assert_eq!(
            (expiry.at, expiry.remaining, expiry.now()),
            (late, Duration::from_millis(7), early)
        );
    }
}
