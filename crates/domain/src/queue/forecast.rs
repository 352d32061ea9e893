//! How fast the line moves, and so when a person's turn comes.

use std::time::Duration;

use super::{AdmissionPolicy, Line, Position};
use crate::Timestamp;

/// How many people a second are being called, learned from successive looks at the line.
///
/// Only stretches in which somebody was left waiting count: an empty line says nothing about its speed. Older stretches
/// fade with a half-life of 30 s; a fresh node begins as if it had seen one second at the policy's own rate. The result
/// stays between the policy's slowest and fastest rate.
#[derive(Clone, Debug)]
pub struct CallRate {
    fastest: f64,
    slowest: f64,
    busy_seconds: f64,
    called: f64,
    last_look: Option<(Line, Timestamp)>,
}

const HALF_LIFE_SECONDS: f64 = 30.0;
const PRIOR_SECONDS: f64 = 1.0;

impl CallRate {
    /// Nothing seen yet: the policy's own rate.
    #[must_use]
    pub fn new(policy: &AdmissionPolicy) -> Self {
        Self {
            fastest: policy.fastest_rate(),
            slowest: policy.slowest_rate(),
            busy_seconds: PRIOR_SECONDS,
            called: policy.fastest_rate() * PRIOR_SECONDS,
            last_look: None,
        }
    }

    /// Learns from the line as it is at `now`, of whose numbers passed since the last look `left` had been given back: they
    /// were not called. A look that is not later than the last one is passed over.
    pub fn observe(&mut self, line: Line, left: u64, now: Timestamp) {
        let Some((before, then)) = self.last_look.replace((line, now)) else { return };
        let seconds = now.duration_since(then).as_secs_f64();
        let was_held_back = before.waiting() > 0 && line.waiting() > 0;
        if seconds <= 0.0 || !was_held_back {
            return;
        }
        let fade = 0.5_f64.powf(seconds / HALF_LIFE_SECONDS);
        let called = line.serving().saturating_sub(before.serving()).saturating_sub(left) as f64;
        self.busy_seconds = self.busy_seconds * fade + seconds;
        self.called = self.called * fade + called;
    }

    /// People a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        (self.called / self.busy_seconds).clamp(self.slowest, self.fastest)
    }

    /// Estimated time until the person at `position` is called, at `per_second` people a second.
    #[must_use]
    pub fn eta(position: Position, per_second: f64) -> Duration {
        Duration::try_from_secs_f64(position.get() as f64 / per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Departures, PolicySpec, QueueNumber};

    fn rate_after(spec: PolicySpec, looks: impl IntoIterator<Item = (u64, u64, i64)>) -> f64 {
        let mut rate = CallRate::new(&AdmissionPolicy::new(spec).unwrap());
        for (last, serving, second) in looks {
            rate.observe(Line::new(last, serving), 0, Timestamp::from_second(second).unwrap());
        }
        rate.per_second()
    }

    #[test]
    fn a_line_held_back_by_the_rate_alone_moves_at_the_policy_rate() {
        let looks = (0..60_u64).map(|s| (100_000, s * 100, i64::try_from(s).unwrap()));
        assert!((rate_after(PolicySpec::default(), looks) - 100.0).abs() < 0.01);
    }

    #[test]
    fn a_line_held_back_by_full_sessions_moves_as_fast_as_they_end() {
        let spec = PolicySpec { max_active: 500, ..PolicySpec::default() };
        let looks = (0..300_u64).map(|s| (100_000, s * 2, i64::try_from(s).unwrap()));
        let seen = rate_after(spec, looks);
        assert!((1.9..2.5).contains(&seen), "{seen}");
    }

    #[test]
    fn numbers_given_back_were_not_called() {
        let spec = PolicySpec { max_active: 500, ..PolicySpec::default() };
        let mut rate = CallRate::new(&AdmissionPolicy::new(spec).unwrap());
        for s in 0..300_u64 {
            let now = Timestamp::from_second(i64::try_from(s).unwrap()).unwrap();
            // Two people called a second, eight more who had left.
            rate.observe(Line::new(100_000, s * 10), 8, now);
        }
        assert!((1.9..2.5).contains(&rate.per_second()), "{}", rate.per_second());
    }

    #[test]
    fn an_empty_line_says_nothing_about_its_speed() {
        let looks = (0..60_u64).map(|s| (s, s, i64::try_from(s).unwrap()));
        assert!((rate_after(PolicySpec::default(), looks) - 100.0).abs() < 0.01);
    }

    #[test]
    fn a_stalled_line_is_never_promised_slower_than_its_slots_turn_over() {
        let spec = PolicySpec { max_active: 1_200, ..PolicySpec::default() };
        let looks = (0..3_000).map(|s| (100_000, 1_200, s));
        assert!((rate_after(spec, looks) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_eta_is_the_position_over_the_rate() {
        let number = QueueNumber::new(1_250).unwrap();
        let position = Departures::default().position_of(number, Line::new(2_000, 250));
        assert_eq!(CallRate::eta(position, 100.0), Duration::from_secs(10));
    }
}
