//! How many people may be called now.

use super::AdmissionPolicy;
use crate::Timestamp;

/// The calling budget of one line: a token bucket of one batch that refills evenly, one batch per interval.
///
/// Kept as a single point in time, the way the generic cell rate algorithm (ITU-T I.371) does: `spent_until` is when
/// all budget used so far will have been refilled. From that, in any window of `n` intervals at most one saved batch
/// plus `n` refilled ones can be spent, which is queue rule 5.
#[derive(Clone, Copy, Debug)]
pub struct CallBudget {
    batch: u32,
    /// Nanoseconds one call costs; rounded up, so the rate is never above the policy's.
    cost: i128,
    /// Nanoseconds since the epoch.
    spent_until: i128,
}

impl CallBudget {
    /// A full budget.
    #[must_use]
    pub fn new(policy: &AdmissionPolicy) -> Self {
        let spec = policy.spec();
        let cost = spec.every.as_nanos().div_ceil(u128::from(spec.batch));
        Self { batch: spec.batch, cost: i128::try_from(cost).unwrap_or(i128::MAX), spent_until: i128::MIN }
    }

    /// How many may be called at `now`: from 0 to one batch. `now` must not go back between calls.
    #[must_use]
    pub fn available(&self, now: Timestamp) -> u32 {
        let owed = self.spent_until.saturating_sub(now.as_nanosecond()).max(0);
        // Both are non-negative, so truncation after adding `cost - 1` is the ceiling.
        let calls_owed = (owed + self.cost - 1) / self.cost;
        self.batch.saturating_sub(u32::try_from(calls_owed).unwrap_or(u32::MAX))
    }

    /// Takes `calls` from the budget; the caller has asked [`available`](Self::available) at the same `now`.
    pub fn spend(&mut self, calls: u32, now: Timestamp) {
        self.spent_until = self.spent_until.max(now.as_nanosecond()) + self.cost * i128::from(calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::PolicySpec;
    use proptest::prelude::*;
    use std::time::Duration;

    fn policy(batch: u32, every: Duration) -> AdmissionPolicy {
        AdmissionPolicy::new(PolicySpec { batch, every, ..PolicySpec::default() }).unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + ms).unwrap()
    }

    #[test]
    fn a_new_budget_holds_one_batch_and_refills_evenly() {
        let mut budget = CallBudget::new(&policy(10, Duration::from_secs(1)));
        assert_eq!(budget.available(at(0)), 10);
        budget.spend(10, at(0));
        assert_eq!(budget.available(at(0)), 0);
        assert_eq!(budget.available(at(99)), 0);
        assert_eq!(budget.available(at(100)), 1);
        assert_eq!(budget.available(at(550)), 5);
    }

    #[test]
    fn unused_budget_is_not_saved_beyond_one_batch() {
        let mut budget = CallBudget::new(&policy(10, Duration::from_secs(1)));
        budget.spend(10, at(0));
        assert_eq!(budget.available(at(3_600_000)), 10);
    }

    proptest! {
        /// Rule 5, on every window that starts and ends at a call.
        #[test]
        fn any_window_of_n_intervals_has_at_most_n_plus_1_batches(
            batch in 1_u32..40,
            every_ms in 1_u64..2_000,
            steps in proptest::collection::vec((0_i64..3_000, 0_u32..60), 1..60),
        ) {
            let mut budget = CallBudget::new(&policy(batch, Duration::from_millis(every_ms)));
            let (mut now, mut calls) = (0_i64, Vec::new());
            for (wait, wanted) in steps {
                now += wait;
                let taken = wanted.min(budget.available(at(now)));
                budget.spend(taken, at(now));
                calls.push((now, u64::from(taken)));
            }
            for (first, &(start, _)) in calls.iter().enumerate() {
                let mut sum = 0;
                for &(end, taken) in &calls[first..] {
                    sum += taken;
                    let intervals = u64::try_from(end - start).unwrap() / every_ms + 1;
                    prop_assert!(sum <= (intervals + 1) * u64::from(batch));
                }
            }
        }
    }
}
