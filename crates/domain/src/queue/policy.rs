//! The admission policy: the call rate, the cap on slots, and the lengths of calls and sessions.

use std::time::Duration;

/// The figures of an admission policy before they are checked. The default serves 6,000 people a
/// minute.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PolicySpec {
    /// People called per interval.
    pub batch: u32,
    /// The interval.
    pub every: Duration,
    /// The most sessions plus open calls.
    pub max_active: u32,
    /// How long a call stays open.
    pub claim_within: Duration,
    /// How long a session lasts.
    pub session_ttl: Duration,
    /// The most numbers that wait at once; joins beyond it are refused.
    pub max_waiting: u32,
}

impl Default for PolicySpec {
    /// 100 a second is the 6,000 people a minute that the load-test report requires. Ticket sales
    /// commonly allow ten minutes to begin and ten to finish. Then a slot is held for at most
    /// twenty minutes, and by Little's law 100 a second for 20 minutes occupy 120,000 slots: this
    /// limit alone never slows the default rate.
    fn default() -> Self {
        Self {
            batch: 100,
            every: Duration::from_secs(1),
            max_active: 120_000,
            claim_within: Duration::from_secs(600),
            session_ttl: Duration::from_secs(600),
            max_waiting: 1_000_000,
        }
    }
}

/// A checked admission policy; every figure is within the bounds of [`AdmissionPolicy::new`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AdmissionPolicy(PolicySpec);

/// A figure out of bounds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field} {expected}")]
pub struct InvalidPolicy {
    /// The figure's name, as in [`PolicySpec`].
    pub field: &'static str,
    /// The expected range.
    pub expected: &'static str,
}

impl AdmissionPolicy {
    /// Checks the figures.
    ///
    /// # Errors
    /// [`InvalidPolicy`] for the first figure that is out of bounds.
    pub fn new(spec: PolicySpec) -> Result<Self, InvalidPolicy> {
        let day = Duration::from_secs(86_400);
        let within = |d: Duration, low: Duration, high: Duration| d >= low && d <= high;
        let millisecond = Duration::from_millis(1);
        let checks = [
            ((1..=1_000_000).contains(&spec.batch), "batch", "must be from 1 to 1000000 people"),
            (
                within(spec.every, millisecond, Duration::from_secs(3600)),
                "every",
                "must be from 1 millisecond to 1 hour",
            ),
            (
                (1..=10_000_000).contains(&spec.max_active),
                "max_active",
                "must be from 1 to 10000000 people",
            ),
            (
                within(spec.claim_within, millisecond, day),
                "claim_within",
                "must be from 1 millisecond to 1 day",
            ),
            (
                within(spec.session_ttl, millisecond, day),
                "session_ttl",
                "must be from 1 millisecond to 1 day",
            ),
            (
                (1..=100_000_000).contains(&spec.max_waiting),
                "max_waiting",
                "must be from 1 to 100000000 people",
            ),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, expected)) => Err(InvalidPolicy { field, expected }),
            None => Ok(Self(spec)),
        }
    }

    /// The figures.
    #[must_use]
    pub fn spec(&self) -> &PolicySpec {
        &self.0
    }

    /// People called per second while only the rate limits the queue.
    #[must_use]
    pub fn fastest_rate(&self) -> f64 {
        f64::from(self.0.batch) / self.0.every.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_serves_6000_people_a_minute_and_its_slots_never_slow_it() {
        let policy = AdmissionPolicy::new(PolicySpec::default()).unwrap();
        assert!((policy.fastest_rate() * 60.0 - 6_000.0).abs() < 1e-9);
        let PolicySpec { max_active, claim_within, session_ttl, .. } = *policy.spec();
        let longest_hold = (claim_within + session_ttl).as_secs_f64();
        assert!(f64::from(max_active) / longest_hold >= policy.fastest_rate());
    }

    #[test]
    fn the_rate_is_a_batch_over_the_interval() {
        let spec = PolicySpec { batch: 30, every: Duration::from_secs(4), ..PolicySpec::default() };
        assert!((AdmissionPolicy::new(spec).unwrap().fastest_rate() - 7.5).abs() < 1e-9);
    }

    #[test]
    fn a_policy_that_would_stall_the_line_is_refused_by_name() {
        let good = PolicySpec::default();
        let bad = [
            (PolicySpec { batch: 0, ..good }, "batch"),
            (PolicySpec { every: Duration::ZERO, ..good }, "every"),
            (PolicySpec { max_active: 0, ..good }, "max_active"),
            (PolicySpec { claim_within: Duration::ZERO, ..good }, "claim_within"),
            (PolicySpec { session_ttl: Duration::from_secs(86_401), ..good }, "session_ttl"),
            (PolicySpec { max_waiting: 0, ..good }, "max_waiting"),
        ];
        for (spec, field) in bad {
            assert_eq!(AdmissionPolicy::new(spec).unwrap_err().field, field);
        }
    }
}
