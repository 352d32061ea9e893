//! The limit on asking much more often than told.
//!
//! A rate limiter with one period cannot be used: everybody is told another wait, and it changes on the way.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use decorators::counter::Counter;
use moka::sync::Cache;
use tokio::time::Instant;

use crate::problem::Problem;

/// What is owed for answers, paid off by waiting. An answer costs a share of the wait that it told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Debt {
    paid_off: Instant,
    told: Duration,
}

impl Debt {
    fn none(now: Instant) -> Self {
        Self { paid_off: now, told: Duration::ZERO }
    }

    /// How long until a question is answered again, when it is not now: the debt must not be above what was told.
    fn too_early_by(&self, now: Instant) -> Option<Duration> {
        let owed = self.paid_off.saturating_duration_since(now);
        owed.checked_sub(self.told).filter(|left| !left.is_zero())
    }

    /// An answer told to wait so long. What is owed is never above what a burst of such answers costs: somebody who
    /// was told long waits and is near now must not pay for them when it matters.
    fn charge(&mut self, told: Duration, faster: NonZeroU32, now: Instant) {
        let share = told / faster.get();
        self.paid_off = (self.paid_off.max(now) + share).min(now + told + share);
        self.told = told;
    }
}

/// The debts of those who ask, by token. A forged token gets none, since nothing is charged before it was answered.
pub(super) struct Polling {
    faster: NonZeroU32,
    /// Keyed at random, so that nobody can make a token that shares another's debt.
    hasher: RandomState,
    debts: Cache<u64, Arc<Mutex<Debt>>>,
    refused: Counter,
}

/// What the answer to a question will be charged to.
pub(super) struct Charge<'a> {
    polling: &'a Polling,
    token: u64,
}

impl Polling {
    pub(super) fn new(faster: NonZeroU32, max_keys: u64) -> Self {
        let debts = Cache::new(max_keys);
        Self { faster, hasher: RandomState::new(), debts, refused: Counter::default() }
    }

    /// A question with this token.
    pub(super) fn check(&self, token: &str) -> Result<Charge<'_>, Problem> {
        let token = self.hasher.hash_one(token);
        let debt = self.debts.get(&token).map(|debt| *debt.lock().unwrap_or_else(PoisonError::into_inner));
        match debt.and_then(|debt| debt.too_early_by(Instant::now())) {
            None => Ok(Charge { polling: self, token }),
            Some(wait) => {
                self.refused.add_one();
                Err(Problem::TooManyRequests(wait))
            }
        }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }
}

impl Charge<'_> {
    /// The answer told to wait so long.
    pub(super) fn of(self, told: Duration) {
        let now = Instant::now();
        let debt = self.polling.debts.get_with(self.token, || Arc::new(Mutex::new(Debt::none(now))));
        debt.lock().unwrap_or_else(PoisonError::into_inner).charge(told, self.polling.faster, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: NonZeroU32 = NonZeroU32::new(4).unwrap();

    /// Asks at these milliseconds, told to wait so many each time; how long each is told to come back after if refused.
    fn asking(faster: u32, questions: &[(u64, u64)]) -> Vec<Option<u64>> {
        let (start, faster) = (Instant::now(), NonZeroU32::new(faster).unwrap());
        let mut debt = Debt::none(start);
        let one = |(at, told): &(u64, u64)| {
            let now = start + Duration::from_millis(*at);
            let refused = debt.too_early_by(now);
            if refused.is_none() {
                debt.charge(Duration::from_millis(*told), faster, now);
            }
            refused.map(|wait| wait.as_millis() as u64)
        };
        questions.iter().map(one).collect()
    }

    #[test]
    fn a_burst_is_answered_and_then_so_many_times_as_often_as_told() {
        for (name, faster, questions, expected) in [
            ("as told", 1, &[(0, 1_000), (1_000, 1_000), (2_000, 1_000)][..], &[None, None, None][..]),
            ("a burst", 4, &[(0, 1_000); 7], &[None, None, None, None, None, Some(250), Some(250)]),
            ("no faster than told", 1, &[(0, 1_000); 3], &[None, None, Some(1_000)]),
            (
                "a burst, then at the limit",
                1,
                &[(0, 1_000), (0, 1_000), (999, 1_000), (1_000, 1_000), (1_500, 1_000), (2_000, 1_000)],
                &[None, None, Some(1), None, Some(500), None],
            ),
            (
                "told 30 s, then near: the old debt does not count",
                4,
                &[(0, 30_000), (0, 30_000), (0, 30_000), (0, 1_000), (0, 1_000), (250, 1_000), (250, 1_000)],
                &[None, None, None, None, Some(250), None, Some(250)],
            ),
            ("told nothing", 4, &[(0, 0), (0, 0), (0, 0)], &[None, None, None]),
        ] {
            assert_eq!(asking(faster, questions), expected, "{name}");
        }
    }

    #[test]
    fn who_asks_up_to_so_many_times_as_often_as_told_is_never_refused() {
        for faster in 1..=8 {
            for step in [1.0, 0.9, 1.0 / f64::from(faster)] {
                let (mut at, mut questions) = (0.0, Vec::new());
                for n in 0..1_000_u64 {
                    // Anything from 0.8 s to 36 s.
                    let told = 800 + (n * 7_919) % 35_200;
                    questions.push((at as u64, told));
                    at += (told as f64 * step.max(1.0 / f64::from(faster))).ceil() + 1.0;
                }
                let refused = asking(faster, &questions).iter().flatten().count();
                assert_eq!(refused, 0, "{faster} times as often as told, asking after {step} of it");
            }
        }
    }

    #[test]
    fn nobody_who_got_an_answer_is_kept_waiting_for_longer_than_a_share_of_what_it_told() {
        let start = Instant::now();
        for (before, told) in [(36_000, 800), (30_000, 30_000), (800, 36_000), (1_000, 1_000)] {
            let mut debt = Debt::none(start);
            for told in [before; 100].into_iter().chain([told]) {
                debt.charge(Duration::from_millis(told), FOUR, start);
            }
            let wait = debt.too_early_by(start).unwrap_or_default();
            assert!(wait <= Duration::from_millis(told / 4), "{before} then {told}: {wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_token_has_a_debt_of_its_own_and_a_refusal_adds_nothing() {
        let (polling, told) = (Polling::new(FOUR, 100), Duration::from_secs(4));
        let answered = |token: &str| {
            (0..100).filter(|_| polling.check(token).map(|charge| charge.of(told)).is_ok()).count()
        };
        assert_eq!((answered("a"), answered("b")), (5, 5));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(answered("a"), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((answered("a"), answered("b")), (2, 3));
        assert_eq!(polling.refused(), 95 + 95 + 99 + 98 + 97);
    }

    #[tokio::test]
    async fn made_up_tokens_take_no_memory_and_good_ones_take_no_more_than_their_share() {
        let polling = Polling::new(FOUR, 1_000);
        for n in 0..100_000 {
            polling.check(&format!("forged {n}")).map(drop).unwrap();
        }
        polling.debts.run_pending_tasks();
        assert_eq!(polling.debts.entry_count(), 0);
        for n in 0..100_000 {
            polling.check(&format!("good {n}")).unwrap().of(Duration::from_secs(30));
        }
        polling.debts.run_pending_tasks();
        assert!(polling.debts.entry_count() <= 1_000, "{}", polling.debts.entry_count());
    }
}
