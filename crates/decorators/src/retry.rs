//! A question that was not carried out is asked once more, as long as that is rare.
//!
//! Outside the breaker, so that each attempt counts there, and on one layer only: two that each ask three times ask nine
//! times. In front of questions that change nothing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::time::sleep;

use crate::counter::Counter;
use crate::deadline;
use crate::guard::{Guard, PortFailure};

/// How often failures are tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// Attempts at a question in all, at most.
    pub attempts: u32,
    /// The longest pause before the second attempt; the actual one is random below it ("full jitter"), and its bound doubles
    /// with each further attempt.
    pub pause: Duration,
    /// Retries for each question that succeeds. When all fail there is nothing to spend, and a dependency that is down is not
    /// asked twice as much for it.
    pub budget: f64,
}

/// Thousandths of a retry that are saved up at most: a hundred retries.
const FULL: u32 = 100_000;
/// What a retry costs.
const RETRY: u32 = 1_000;

/// Retries with a budget, shared by all who ask.
pub struct Retry {
    settings: RetrySettings,
    earned_by_success: u32,
    budget: AtomicU32,
    retried: Counter,
}

impl Retry {
    /// Retries, with a full budget.
    #[must_use]
    pub fn new(settings: RetrySettings) -> Self {
        let earned = (settings.budget.clamp(0.0, 1.0) * f64::from(RETRY)).round() as u32;
        Self {
            settings,
            earned_by_success: earned,
            budget: AtomicU32::new(if earned == 0 { 0 } else { FULL }),
            retried: Counter::default(),
        }
    }

    /// Retries so far.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.retried.get()
    }

    fn earn(&self) {
        // Mostly it is full, and then nothing is written.
        if self.budget.load(Ordering::Relaxed) < FULL {
            let add = |budget: u32| Some(budget.saturating_add(self.earned_by_success).min(FULL));
            self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok();
        }
    }

    fn spend(&self) -> bool {
        self.budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |budget| budget.checked_sub(RETRY))
            .is_ok()
    }

    /// How long to wait before the next attempt, when there is to be one.
    fn next(&self, attempt: u32, failure: Option<&PortError>) -> Option<Duration> {
        // What was refused will be again, and what timed out has had its time.
        let is_passing = failure?.kind() == PortErrorKind::Unavailable;
        if !is_passing || attempt >= self.settings.attempts {
            return None;
        }
        let pause =
            self.settings.pause.saturating_mul(1 << (attempt - 1).min(16)).mul_f64(fastrand::f64());
        let has_time = deadline::left().is_none_or(|left| left > pause);
        (has_time && self.spend()).then_some(pause)
    }
}

impl Guard for Retry {
    async fn ask<T, E, F, A>(&self, question: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        let mut attempt = 1;
        loop {
            let error = match question().await {
                Ok(answer) => {
                    self.earn();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let Some(pause) = self.next(attempt, error.failure()) else { return Err(error) };
            sleep(pause).await;
            self.retried.add_one();
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: RetrySettings =
        RetrySettings { attempts: 3, pause: Duration::from_millis(10), budget: 0.1 };

    /// Asks a question that fails so often first; returns how often it was asked and whether it succeeded.
    async fn ask(retry: &Retry, failures: u32, kind: PortErrorKind) -> (u32, bool) {
        let asked = AtomicU32::new(0);
        let question = || async {
            let nth = asked.fetch_add(1, Ordering::SeqCst);
            if nth < failures { Err(PortError::new(kind, "test")) } else { Ok(()) }
        };
        let is_good = retry.ask(question).await.is_ok();
        (asked.load(Ordering::SeqCst), is_good)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_carried_out_is_asked_again_a_few_times() {
        let retry = Retry::new(SETTINGS);
        assert_eq!(ask(&retry, 0, PortErrorKind::Unavailable).await, (1, true));
        assert_eq!(ask(&retry, 2, PortErrorKind::Unavailable).await, (3, true));
        assert_eq!(ask(&retry, 9, PortErrorKind::Unavailable).await, (3, false));
        assert_eq!(retry.retried(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_timed_out_or_is_nonsense_is_not_asked_again() {
        let retry = Retry::new(SETTINGS);
        for kind in [
            PortErrorKind::Overloaded,
            PortErrorKind::Refused,
            PortErrorKind::Timeout,
            PortErrorKind::Corrupt,
        ] {
            assert_eq!(ask(&retry, 9, kind).await, (1, false), "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_that_is_down_is_soon_asked_only_once() {
        let retry = Retry::new(SETTINGS);
        let mut asked = 0;
        for _ in 0..1_000 {
            asked += ask(&retry, 9, PortErrorKind::Unavailable).await.0;
        }
        assert_eq!(asked, 1_100, "the hundred that were saved up");
        for _ in 0..50 {
            ask(&retry, 0, PortErrorKind::Unavailable).await;
        }
        let mut asked = 0;
        for _ in 0..100 {
            asked += ask(&retry, 9, PortErrorKind::Unavailable).await.0;
        }
        assert_eq!(asked, 105, "a tenth of those that succeeded");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_past_the_deadline_of_the_request() {
        let retry = Retry::new(RetrySettings { pause: Duration::from_secs(3_600), ..SETTINGS });
        let deadline = tokio::time::Instant::now() + Duration::from_millis(1);
        let asked = deadline::within(deadline, ask(&retry, 9, PortErrorKind::Unavailable)).await;
        assert_eq!(asked, (1, false));
    }
}
