//! Who may wait for a turn: whoever can expect one in good time. The others are refused when they come.
//!
//! What is to be expected is those in front times the time between turns, which is Little's law: a refusal costs its caller no
//! wait, and those who wait are as many as can be served, however fast that is at the moment.

use std::time::Duration;

use tokio::time::Instant;

/// How many may wait, and how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// So many at once.
    pub most: u32,
    /// One waits no longer than this, and not at all when more than half of it is to be expected: the pace changes, and who was
    /// let wait is not to be refused in the end.
    pub longest: Duration,
}

/// Turns that are taken to have come at once before there were any, since a backlog may begin behind one slow answer.
const GRANTED: f64 = 8.0;

/// How many wait, and how fast they go.
#[derive(Debug)]
pub struct Backlog {
    rule: Waiting,
    waiting: u32,
    /// What is known since somebody began to wait; forgotten when nobody does.
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// The last turn, or when the first began to wait.
    since: Instant,
    /// Turns, and the seconds in which they came. Older ones count less, to none after a few times the longest wait.
    turns: f64,
    seconds: f64,
}

impl Backlog {
    /// Nobody waits.
    #[must_use]
    pub fn new(rule: Waiting) -> Self {
        Self { rule, waiting: 0, pace: None }
    }

    /// Somebody comes: how long they may wait, or `None` when they are refused.
    pub fn enter(&mut self, now: Instant) -> Option<Duration> {
        let Waiting { most, longest } = self.rule;
        if self.waiting >= most || self.expected(now) > longest / 2 {
            return None;
        }
        self.waiting += 1;
        self.pace.get_or_insert(Pace { since: now, turns: GRANTED, seconds: 0.0 });
        Some(longest)
    }

    /// Somebody who waited has got a turn.
    pub fn served(&mut self, now: Instant) {
        if let Some(pace) = &mut self.pace {
            pace.turn(now, self.rule.longest);
        }
        self.leave();
    }

    /// Somebody who waited goes without.
    pub fn gave_up(&mut self) {
        self.leave();
    }

    /// How many wait.
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

    /// How long one who comes now would wait. Turns that do not come make everybody later.
    fn expected(&self, now: Instant) -> Duration {
        let Some(pace) = &self.pace else { return Duration::ZERO };
        let next = now.saturating_duration_since(pace.since).max(pace.interval());
        pace.interval().saturating_mul(self.waiting).saturating_add(next)
    }
}

impl Pace {
    /// Weighs by age and not by number: after a pause the mean is of the time before it and of the pause, each by its length.
    fn turn(&mut self, now: Instant, memory: Duration) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        let kept = (-passed / memory.as_secs_f64().max(f64::MIN_POSITIVE)).exp();
        self.turns = self.turns * kept + 1.0;
        self.seconds = self.seconds * kept + passed;
        self.since = now;
    }

    /// The mean time between turns.
    fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds / self.turns).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(100);
    const RULE: Waiting = Waiting { most: 1_000, longest: LONGEST };

    /// A backlog at a moment.
    struct At(Backlog, Instant);

    impl At {
        fn start(rule: Waiting) -> Self {
            Self(Backlog::new(rule), Instant::now())
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
    fn hundreds_who_come_at_once_may_wait_while_turns_come_fast() {
        let mut backlog = At::start(RULE);
        assert!((0..600).all(|_| backlog.come()));
        // Each who is served asks again: nobody is refused, however long it is never empty.
        for _ in 0..10_000 {
            backlog.serve(1, Duration::from_micros(80));
            assert!(backlog.come());
        }
        assert_eq!(backlog.0.waiting(), 600);
    }

    #[test]
    fn as_many_wait_as_will_be_served_within_half_the_time() {
        for apart in [1, 2, 5].map(Duration::from_millis) {
            let mut backlog = At::start(RULE);
            for _ in 0..5_000 {
                // Ten times as many as turns.
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
    fn turns_that_come_many_at_a_time_count_as_the_mean_of_them() {
        let mut backlog = At::start(RULE);
        for _ in 0..1_000 {
            (0..80).for_each(|_| _ = backlog.come());
            backlog.pass(Duration::from_millis(8));
            backlog.serve(8, Duration::ZERO);
        }
        let waiting = backlog.0.waiting();
        assert!((30..=60).contains(&waiting), "{waiting} where 50 will be served in time");
    }

    #[test]
    fn behind_turns_that_do_not_come_nobody_waits_after_a_while() {
        let mut backlog = At::start(RULE);
        assert!(backlog.come());
        backlog.pass(LONGEST / 2);
        assert!(backlog.come());
        backlog.pass(Duration::from_millis(1));
        assert!(!backlog.come());
        backlog.0.gave_up();
        assert!(!backlog.come(), "one waits still");
        backlog.0.gave_up();
        assert!(backlog.come(), "nobody waited, and nothing is known");
    }

    #[test]
    fn a_pause_is_not_taken_for_the_pace() {
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
    fn one_slow_turn_is_no_reason_to_refuse_a_burst() {
        let mut backlog = At::start(RULE);
        assert!((0..100).all(|_| backlog.come()));
        backlog.serve(1, Duration::from_millis(4));
        assert!(backlog.come());
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut backlog = At::start(Waiting { most: 2, ..RULE });
        assert!(backlog.come() && backlog.come() && !backlog.come());
        backlog.serve(1, Duration::ZERO);
        assert!(backlog.come());
        assert!(!At::start(Waiting { most: 0, ..RULE }).come());
    }
}
