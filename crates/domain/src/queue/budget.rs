//! How many people may be called now.

use std::time::Duration;

use super::{AdmissionPolicy, QueueTime};

/// The call budget of a queue: a token bucket of one batch that refills evenly, one batch per
/// interval.
///
/// It is stored as a single point in time, as in the generic cell rate algorithm (ITU-T I.371):
/// `spent_until` is when all budget used so far will have refilled. So in any window of `n`
/// intervals at most one saved batch plus `n` refilled ones can be spent, which is queue rule 5.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CallBudget {
    batch: u32,
    /// Nanoseconds one call costs; rounded up, so the rate is never above the policy's.
    cost: u128,
    /// Nanoseconds since the queue began.
    spent_until: u128,
}

impl CallBudget {
    /// A full budget.
    #[must_use]
    pub fn new(policy: &AdmissionPolicy) -> Self {
        let spec = policy.spec();
        let cost = spec.every.as_nanos().div_ceil(u128::from(spec.batch));
        Self { batch: spec.batch, cost, spent_until: 0 }
    }

    /// The number of calls allowed at `now`, from 0 to one batch. `now` must not go back between
    /// calls.
    #[must_use]
    pub fn available(&self, now: QueueTime) -> u32 {
        let calls_owed = self.spent_until.saturating_sub(nanos(now)).div_ceil(self.cost);
        self.batch.saturating_sub(u32::try_from(calls_owed).unwrap_or(u32::MAX))
    }

    /// Spends `calls`, which must not exceed [`available`](Self::available) at the same `now`.
    pub fn spend(&mut self, calls: u64, now: QueueTime) {
        self.spent_until = self.spent_until.max(nanos(now)) + self.cost * u128::from(calls);
    }

    /// Makes the budget full, as before the first call.
    pub fn refill(&mut self) {
        self.spent_until = 0;
    }

    /// Leaves no budget at `now`, because the remaining budget is unknown.
    pub fn exhaust(&mut self, now: QueueTime) {
        self.spent_until = self.spent_until.max(nanos(now) + self.cost * u128::from(self.batch));
    }

    /// Limits the debt at `now` to one batch. No call causes a larger debt: it comes from an
    /// earlier, slower policy, or another program has written it.
    pub fn cap(&mut self, now: QueueTime) {
        self.spent_until = self.spent_until.min(nanos(now) + self.cost * u128::from(self.batch));
    }

    /// The most calls within a window of this length, by queue rule 5.
    #[must_use]
    pub fn max_within(&self, window: Duration) -> u64 {
        let intervals = window.as_nanos().div_ceil(self.cost * u128::from(self.batch));
        u64::try_from((intervals + 1) * u128::from(self.batch)).unwrap_or(u64::MAX)
    }
}

fn nanos(time: QueueTime) -> u128 {
    u128::from(time.as_micros()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::PolicySpec;
    use proptest::prelude::*;
    fn policy(batch: u32, every: Duration) -> AdmissionPolicy {
        AdmissionPolicy::new(PolicySpec { batch, every, ..PolicySpec::default() }).unwrap()
    }

    fn at(ms: u64) -> QueueTime {
        QueueTime::from_micros(ms * 1_000)
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
    fn an_exhausted_budget_refills_like_a_spent_one_and_is_never_filled_by_it() {
        let mut budget = CallBudget::new(&policy(10, Duration::from_secs(1)));
        budget.exhaust(at(0));
        assert_eq!((budget.available(at(0)), budget.available(at(300))), (0, 3));
        budget.spend(10, at(1_000));
        budget.spend(10, at(1_000));
        budget.exhaust(at(1_000));
        assert_eq!(
            (budget.available(at(2_000)), budget.available(at(2_500))),
            (0, 5),
            "two batches are owed"
        );
    }

    #[test]
    fn no_more_than_a_batch_is_owed_once_it_is_capped() {
        let mut budget = CallBudget::new(&policy(10, Duration::from_secs(1)));
        budget.spend(4, at(0));
        budget.cap(at(0));
        assert_eq!(budget.available(at(0)), 6, "debt within a batch stays");
        budget.spend(3_600, at(0));
        budget.cap(at(0));
        assert_eq!((budget.available(at(0)), budget.available(at(500))), (0, 5));
    }

    #[test]
    fn the_most_within_a_window_is_a_batch_more_than_its_intervals() {
        let budget = CallBudget::new(&policy(10, Duration::from_secs(1)));
        let max = |ms| budget.max_within(Duration::from_millis(ms));
        assert_eq!((max(0), max(1), max(1_000), max(1_001)), (10, 20, 20, 30));
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
            steps in proptest::collection::vec((0_u64..3_000, 0_u32..60), 1..60),
        ) {
            let mut budget = CallBudget::new(&policy(batch, Duration::from_millis(every_ms)));
            let (mut now, mut calls) = (0_u64, Vec::new());
            for (wait, wanted) in steps {
                now += wait;
                let taken = wanted.min(budget.available(at(now)));
                budget.spend(taken.into(), at(now));
                calls.push((now, u64::from(taken)));
            }
            for (first, &(start, _)) in calls.iter().enumerate() {
                let mut sum = 0;
                for &(end, taken) in &calls[first..] {
                    sum += taken;
                    let intervals = (end - start) / every_ms + 1;
                    prop_assert!(sum <= (intervals + 1) * u64::from(batch));
                }
            }
        }
    }
}
