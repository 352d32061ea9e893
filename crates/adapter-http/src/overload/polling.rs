//! Limits clients that poll much more often than advised.
//!
//! A rate limiter with one period does not fit: each client is advised a different poll interval,
//! which changes as it advances.
//!
//! The key is the queue number of a verified token. Joining again issues another token for the same
//! place, and all tokens of a place count together. A query is charged before it is answered, so
//! concurrent queries are limited like sequential ones.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decorators::counter::Counter;
use domain::queue::QueueNumber;
use moka::sync::Cache;
use tokio::time::Instant;

use crate::problem::Problem;

/// The poll interval assumed for a number that has not received one yet.
const TOLD_AT_FIRST: Duration = Duration::from_secs(1);

/// The debt of one queue number, paid off by waiting. A response costs a share of the poll interval
/// it carries. A response in flight is assumed to carry the same interval as the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct PollAllowance {
    paid_off: Instant,
    reported: Duration,
    /// Queries in flight.
    in_flight: u32,
}

impl PollAllowance {
    fn none(now: Instant) -> Self {
        Self { paid_off: now, reported: TOLD_AT_FIRST, in_flight: 0 }
    }

    /// Admits a query, or returns the wait until the next one is admitted. A query is refused while
    /// the debt exceeds the last poll interval.
    fn begin(&mut self, max_multiple: NonZeroU32, now: Instant) -> Result<(), Duration> {
        let in_flight = (self.reported / max_multiple.get()).saturating_mul(self.in_flight);
        let owed = self.paid_off.saturating_duration_since(now).saturating_add(in_flight);
        match owed.checked_sub(self.reported) {
            Some(left) if !left.is_zero() => Err(left),
            _ => {
                self.in_flight = self.in_flight.saturating_add(1);
                Ok(())
            }
        }
    }

    /// Ends an admitted query without a cost.
    fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Ends an admitted query whose response carried this poll interval. The debt is capped at the
    /// cost of a burst of such responses: a client that was advised long intervals and is now near
    /// the front must not pay for them when it matters.
    fn charge(&mut self, reported: Duration, max_multiple: NonZeroU32, now: Instant) {
        self.release();
        let share = reported / max_multiple.get();
        self.paid_off = (self.paid_off.max(now) + share).min(now + reported + share);
        self.reported = reported;
    }
}

/// Debts by queue number, for a bounded number of keys. Only a verified token has a number, so
/// forged tokens add no keys. Each number has its own lock.
pub(super) struct Polling {
    max_multiple: NonZeroU32,
    debts: Cache<QueueNumber, Arc<Mutex<PollAllowance>>>,
    refused: Counter,
}

/// The pending charge of a query whose cost is not known yet.
#[must_use = "an unsettled charge costs as much as the previous response"]
pub(super) struct PendingCharge {
    max_multiple: NonZeroU32,
    /// `Some` until the charge is settled.
    debt: Option<Arc<Mutex<PollAllowance>>>,
}

impl Polling {
    pub(super) fn new(max_multiple: NonZeroU32, max_keys: u64) -> Self {
        Self { max_multiple, debts: Cache::new(max_keys), refused: Counter::default() }
    }

    /// Charges a query of this number.
    pub(super) fn check(&self, number: QueueNumber) -> Result<PendingCharge, Problem> {
        let now = Instant::now();
        let debt = self.debts.get_with(number, || Arc::new(Mutex::new(PollAllowance::none(now))));
        let begun = lock(&debt).begin(self.max_multiple, now);
        match begun {
            Ok(()) => Ok(PendingCharge { max_multiple: self.max_multiple, debt: Some(debt) }),
            Err(wait) => {
                self.refused.add_one();
                Err(Problem::TooManyRequests(wait))
            }
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }
}

impl PendingCharge {
    /// Settles the charge with the response's poll interval. Without one it costs as much as the
    /// previous response.
    pub(super) fn settle(mut self, reported: Option<Duration>) {
        self.settle_once(reported);
    }

    /// Releases the charge of a query that was refused for other reasons.
    pub(super) fn release(mut self) {
        if let Some(debt) = self.debt.take() {
            lock(&debt).release();
        }
    }

    fn settle_once(&mut self, reported: Option<Duration>) {
        let Some(debt) = self.debt.take() else { return };
        let mut debt = lock(&debt);
        let reported = reported.unwrap_or(debt.reported);
        debt.charge(reported, self.max_multiple, Instant::now());
    }
}

impl Drop for PendingCharge {
    /// The client disconnected. It pays in full, because the query was worked on.
    fn drop(&mut self) {
        self.settle_once(None);
    }
}

fn lock(debt: &Mutex<PollAllowance>) -> MutexGuard<'_, PollAllowance> {
    debt.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: NonZeroU32 = NonZeroU32::new(4).unwrap();

    /// Queries at these milliseconds, each answered with this poll interval; returns the wait of
    /// each refusal.
    fn polling(max_multiple: u32, requests: &[(u64, u64)]) -> Vec<Option<u64>> {
        let (start, max_multiple) = (Instant::now(), NonZeroU32::new(max_multiple).unwrap());
        let mut debt = PollAllowance::none(start);
        let one = |(at, reported): &(u64, u64)| {
            let now = start + Duration::from_millis(*at);
            match debt.begin(max_multiple, now) {
                Ok(()) => debt.charge(Duration::from_millis(*reported), max_multiple, now),
                Err(wait) => return Some(wait.as_millis() as u64),
            }
            None
        };
        requests.iter().map(one).collect()
    }

    #[test]
    fn a_burst_is_answered_and_then_the_allowed_multiple() {
        for (name, max_multiple, requests, expected) in [
            (
                "as advised",
                1,
                &[(0, 1_000), (1_000, 1_000), (2_000, 1_000)][..],
                &[None, None, None][..],
            ),
            ("a burst", 4, &[(0, 1_000); 7], &[None, None, None, None, None, Some(250), Some(250)]),
            ("no faster than advised", 1, &[(0, 1_000); 3], &[None, None, Some(1_000)]),
            (
                "a burst, then at the limit",
                1,
                &[
                    (0, 1_000),
                    (0, 1_000),
                    (999, 1_000),
                    (1_000, 1_000),
                    (1_500, 1_000),
                    (2_000, 1_000),
                ],
                &[None, None, Some(1), None, Some(500), None],
            ),
            (
                "advised 30 s, then near the front: the earlier debt does not count",
                4,
                &[
                    (0, 30_000),
                    (0, 30_000),
                    (0, 30_000),
                    (0, 1_000),
                    (0, 1_000),
                    (250, 1_000),
                    (250, 1_000),
                ],
                &[None, None, None, None, Some(250), None, Some(250)],
            ),
            ("a poll interval of zero", 4, &[(0, 0), (0, 0), (0, 0)], &[None, None, None]),
        ] {
            assert_eq!(polling(max_multiple, requests), expected, "{name}");
        }
    }

    #[test]
    fn polling_within_the_allowed_multiple_is_never_refused() {
        for max_multiple in 1..=8 {
            for step in [1.0, 0.9, 1.0 / f64::from(max_multiple)] {
                let (mut at, mut requests) = (0.0, Vec::new());
                for n in 0..1_000_u64 {
                    // Anything from 0.8 s to 36 s.
                    let reported = 800 + (n * 7_919) % 35_200;
                    requests.push((at as u64, reported));
                    at += (reported as f64 * step.max(1.0 / f64::from(max_multiple))).ceil() + 1.0;
                }
                let refused = polling(max_multiple, &requests).iter().flatten().count();
                assert_eq!(
                    refused, 0,
                    "a multiple of {max_multiple}, polling after {step} of the interval"
                );
            }
        }
    }

    #[test]
    fn the_next_query_waits_at_most_a_share_of_the_last_interval() {
        let start = Instant::now();
        for (before, reported) in [(36_000, 800), (30_000, 30_000), (800, 36_000), (1_000, 1_000)] {
            let mut debt = PollAllowance::none(start);
            for reported in [before; 100].into_iter().chain([reported]) {
                debt.charge(Duration::from_millis(reported), FOUR, start);
            }
            let wait = debt.begin(FOUR, start).err().unwrap_or_default();
            assert!(
                wait <= Duration::from_millis(reported / 4),
                "{before} then {reported}: {wait:?}"
            );
        }
    }

    fn number(number: u64) -> QueueNumber {
        QueueNumber::new(number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_number_has_a_debt_of_its_own_and_a_refusal_adds_nothing() {
        let (polling, reported) = (Polling::new(FOUR, 100), Duration::from_secs(4));
        let answered = |n: u64| {
            let ask = || polling.check(number(n)).map(|charge| charge.settle(Some(reported)));
            (0..100).filter(|_| ask().is_ok()).count()
        };
        assert_eq!((answered(1), answered(2)), (5, 5));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(answered(1), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((answered(1), answered(2)), (2, 3));
        assert_eq!(polling.refused(), 95 + 95 + 99 + 98 + 97);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_queries_are_limited_like_sequential_ones() {
        let (polling, reported) = (Polling::new(FOUR, 100), Duration::from_secs(4));
        let begun =
            |times: u32| (0..times).flat_map(|_| polling.check(number(1))).collect::<Vec<_>>();
        let first = begun(400);
        assert_eq!(first.len(), 5, "for a number without a poll interval yet");
        first.into_iter().for_each(|charge| charge.settle(Some(reported)));
        assert_eq!(begun(400).len(), 0, "all of them are charged");
        tokio::time::advance(Duration::from_secs(2)).await;
        let second = begun(400);
        assert_eq!(second.len(), 2);
        drop(second);
        assert_eq!(begun(400).len(), 0, "a client that disconnects before the response is charged");
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_charge_costs_nothing_and_a_response_without_an_interval_does() {
        let polling = Polling::new(FOUR, 100);
        for _ in 0..100 {
            polling.check(number(1)).unwrap().release();
        }
        let answered =
            (0..100).flat_map(|_| polling.check(number(1))).map(|charge| charge.settle(None));
        assert_eq!(answered.count(), 5);
    }

    #[tokio::test]
    async fn memory_is_bounded_for_many_numbers() {
        let polling = Polling::new(FOUR, 1_000);
        for n in 1..=100_000 {
            polling.check(number(n)).unwrap().settle(Some(Duration::from_secs(30)));
        }
        polling.debts.run_pending_tasks();
        assert!(polling.debts.entry_count() <= 1_000, "{}", polling.debts.entry_count());
    }
}
