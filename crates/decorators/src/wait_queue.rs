//! Decides which callers may wait for a permit: those likely to get one in time. Others are refused
//! on arrival.
//!
//! The expected wait is the number of waiting callers times the mean interval between permits
//! (Little's law). A refused caller does not wait, and the queue adapts to the current service
//! rate.

use std::time::Duration;

use tokio::time::Instant;

/// Limits on the number of waiting callers and on their wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WaitLimits {
    /// Maximum number of waiting callers.
    pub max_waiting: u32,
    /// Maximum wait. A caller is refused on arrival if its expected wait exceeds half of this: the
    /// service rate varies, and a caller that was allowed to wait should rarely be refused later.
    pub max_wait: Duration,
}

/// Permits assumed to have been granted before the first one, because a queue may begin behind
/// one slow call.
const GRANTED: f64 = 8.0;

/// The number of waiting callers and their service rate.
#[derive(Debug)]
pub struct WaitQueue {
    rule: WaitLimits,
    waiting: u32,
    /// Measured while at least one caller waits, and discarded when none does.
    pace: Option<ServiceRate>,
}

#[derive(Debug)]
struct ServiceRate {
    /// When the last permit was granted, or when the first caller began to wait.
    since: Instant,
    /// Permits, and the seconds in which they were granted. Both decay exponentially, with the
    /// maximum wait as time constant.
    permits: f64,
    seconds: f64,
}

impl WaitQueue {
    /// Starts empty.
    #[must_use]
    pub fn new(rule: WaitLimits) -> Self {
        Self { rule, waiting: 0, pace: None }
    }

    /// Admits an arriving caller and returns how long it may wait, or `None` if it is refused.
    pub fn enter(&mut self, now: Instant) -> Option<Duration> {
        let WaitLimits { max_waiting, max_wait } = self.rule;
        if self.waiting >= max_waiting || self.expected(now) > max_wait / 2 {
            return None;
        }
        self.waiting += 1;
        self.pace.get_or_insert(ServiceRate { since: now, permits: GRANTED, seconds: 0.0 });
        Some(max_wait)
    }

    /// Records that a waiting caller got a permit.
    pub fn served(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.turn(now, self.rule.max_wait);
        }
        self.leave();
    }

    /// Records that a waiting caller left without a permit.
    pub fn gave_up(&mut self) {
        self.leave();
    }

    /// The number of waiting callers.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 {
            self.pace = None;
        }
    }

    /// The expected wait of a caller that arrives now. It grows while no permit is granted.
    fn expected(&self, now: Instant) -> Duration {
        let Some(pace) = &self.pace else { return Duration::ZERO };
        let next = now.saturating_duration_since(pace.since).max(pace.interval());
        pace.interval().saturating_mul(self.waiting).saturating_add(next)
    }
}

impl ServiceRate {
    /// Weighs samples by age, not by count: after a pause, the mean covers the pause and the time
    /// before it, each by its duration.
    fn turn(&mut self, now: Instant, memory: Duration) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        let kept = (-passed / memory.as_secs_f64().max(f64::MIN_POSITIVE)).exp();
        self.permits = self.permits * kept + 1.0;
        self.seconds = self.seconds * kept + passed;
        self.since = now;
    }

    /// The mean interval between permits.
    fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds / self.permits).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(100);
    const RULE: WaitLimits = WaitLimits { max_waiting: 1_000, max_wait: LONGEST };

    /// A wait queue and the current time.
    struct At(WaitQueue, Instant);

    impl At {
        fn start(rule: WaitLimits) -> Self {
            Self(WaitQueue::new(rule), Instant::now())
        }

        fn pass(&mut self, time: Duration) {
            self.1 += time;
        }

        fn come(&mut self) -> bool {
            self.0.enter(self.1).is_some_and(|wait| wait == LONGEST)
        }

        fn serve(&mut self, people: u32, apart: Duration) {
            for _ in 0..people {
                self.pass(apart);
                self.0.served(self.1);
            }
        }
    }

    #[test]
    fn a_burst_of_hundreds_may_wait_while_permits_come_fast() {
        let mut backlog = At::start(RULE);
        assert!((0..600).all(|_| backlog.come()));
        // Each served caller comes back: none is refused, although the queue is never empty.
        for _ in 0..10_000 {
            backlog.serve(1, Duration::from_micros(80));
            assert!(backlog.come());
        }
        assert_eq!(backlog.0.waiting(), 600);
    }

    #[test]
    fn the_backlog_holds_what_is_served_within_half_the_maximum_wait() {
        for apart in [1, 2, 5].map(Duration::from_millis) {
            let mut backlog = At::start(RULE);
            for _ in 0..5_000 {
                // Ten arrivals for each permit.
                (0..10).for_each(|_| _ = backlog.come());
                backlog.serve(1, apart);
            }
            let expected = (LONGEST / 2).as_micros() / apart.as_micros();
            let waiting = u128::from(backlog.0.waiting());
            assert!(
                waiting <= expected && waiting + 2 >= expected,
                "{waiting} of {expected} at {apart:?}"
            );
        }
    }

    #[test]
    fn permits_granted_in_batches_count_at_their_mean_rate() {
        let mut backlog = At::start(RULE);
        for _ in 0..1_000 {
            (0..80).for_each(|_| _ = backlog.come());
            backlog.pass(Duration::from_millis(8));
            backlog.serve(8, Duration::ZERO);
        }
        let waiting = backlog.0.waiting();
        assert!((30..=60).contains(&waiting), "{waiting} wait, 50 can be served in time");
    }

    #[test]
    fn callers_are_refused_once_no_permit_came_for_half_the_maximum_wait() {
        let mut backlog = At::start(RULE);
        assert!(backlog.come());
        backlog.pass(LONGEST / 2);
        assert!(backlog.come());
        backlog.pass(Duration::from_millis(1));
        assert!(!backlog.come());
        backlog.0.gave_up();
        assert!(!backlog.come(), "one caller still waits");
        backlog.0.gave_up();
        assert!(backlog.come(), "an empty backlog forgets its rate");
    }

    #[test]
    fn a_short_pause_does_not_change_the_rate() {
        let mut backlog = At::start(RULE);
        assert!((0..500).all(|_| backlog.come()));
        for _ in 0..1_000 {
            backlog.serve(1, Duration::from_micros(50));
            assert!(backlog.come());
        }
        backlog.serve(1, LONGEST / 4);
        assert!(backlog.come());
    }

    #[test]
    fn one_slow_permit_does_not_refuse_a_burst() {
        let mut backlog = At::start(RULE);
        assert!((0..100).all(|_| backlog.come()));
        backlog.serve(1, Duration::from_millis(4));
        assert!(backlog.come());
    }

    #[test]
    fn the_number_of_waiting_callers_is_limited() {
        let mut backlog = At::start(WaitLimits { max_waiting: 2, ..RULE });
        assert!(backlog.come() && backlog.come() && !backlog.come());
        backlog.serve(1, Duration::ZERO);
        assert!(backlog.come());
        assert!(!At::start(WaitLimits { max_waiting: 0, ..RULE }).come());
    }
}
