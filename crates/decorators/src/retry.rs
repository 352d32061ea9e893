//! Retries failed calls within a budget.
//!
//! Outside the breaker, so that the breaker counts each attempt, and on one layer only: two layers
//! with three attempts each make nine calls. Only for idempotent calls.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::time::sleep;

use crate::counter::Counter;
use crate::deadline;
use crate::failure::PortFailure;
use crate::layer::Layer;

/// How often failures are retried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// Maximum number of attempts, the first included.
    pub attempts: u32,
    /// Maximum pause before the second attempt. The actual pause is random below it ("full
    /// jitter"), and the maximum doubles with each further attempt.
    pub pause: Duration,
    /// Retries earned by each successful call. When all calls fail, nothing is earned, so retries
    /// do not multiply the load on a dependency that is down.
    pub budget: f64,
}

/// Maximum budget in thousandths of a retry: a hundred retries.
const FULL: u32 = 100_000;
/// The cost of a retry.
const RETRY: u32 = 1_000;

/// Retries with a budget, shared by all callers.
pub struct Retry {
    settings: RetrySettings,
    earned_by_success: u32,
    budget: AtomicU32,
    retried: Counter,
}

impl Retry {
    /// Starts with a full budget.
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

    /// The number of retries so far.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.retried.get()
    }

    fn earn(&self) {
        // The budget is usually full, and then nothing is written.
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

    /// The pause before the next attempt, or `None` if the failure is not retried.
    fn next(&self, attempt: u32, failure: Option<&PortError>) -> Option<Duration> {
        // A refused call would be refused again, and a timed-out call has used its time.
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

impl Layer for Retry {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        let mut attempt = 1;
        loop {
            let error = match port_call().await {
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
    use domain::Dependency;

    use super::*;

    const SETTINGS: RetrySettings =
        RetrySettings { attempts: 3, pause: Duration::from_millis(10), budget: 0.1 };

    /// Makes a call that fails `failures` times before it succeeds; returns the number of attempts
    /// and whether it succeeded.
    async fn call(retry: &Retry, failures: u32, kind: PortErrorKind) -> (u32, bool) {
        let outcome = AtomicU32::new(0);
        let port_call = || async {
            let nth = outcome.fetch_add(1, Ordering::SeqCst);
            if nth < failures {
                Err(PortError::new(kind, Dependency::named("test")))
            } else {
                Ok(())
            }
        };
        let is_good = retry.call(port_call).await.is_ok();
        (outcome.load(Ordering::SeqCst), is_good)
    }

    #[tokio::test(start_paused = true)]
    async fn an_unavailable_dependency_is_retried_up_to_the_maximum_attempts() {
        let retry = Retry::new(SETTINGS);
        assert_eq!(call(&retry, 0, PortErrorKind::Unavailable).await, (1, true));
        assert_eq!(call(&retry, 2, PortErrorKind::Unavailable).await, (3, true));
        assert_eq!(call(&retry, 9, PortErrorKind::Unavailable).await, (3, false));
        assert_eq!(retry.retried(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn refused_timed_out_and_corrupt_calls_are_not_retried() {
        let retry = Retry::new(SETTINGS);
        for kind in [
            PortErrorKind::Overloaded,
            PortErrorKind::Refused,
            PortErrorKind::Timeout,
            PortErrorKind::Corrupt,
        ] {
            assert_eq!(call(&retry, 9, kind).await, (1, false), "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_spends_the_budget_and_then_calls_are_not_retried() {
        let retry = Retry::new(SETTINGS);
        let mut outcome = 0;
        for _ in 0..1_000 {
            outcome += call(&retry, 9, PortErrorKind::Unavailable).await.0;
        }
        assert_eq!(outcome, 1_100, "the full budget of a hundred retries");
        for _ in 0..50 {
            call(&retry, 0, PortErrorKind::Unavailable).await;
        }
        let mut outcome = 0;
        for _ in 0..100 {
            outcome += call(&retry, 9, PortErrorKind::Unavailable).await.0;
        }
        assert_eq!(outcome, 105, "a tenth of the successful calls");
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_exceeds_the_request_deadline() {
        let retry = Retry::new(RetrySettings { pause: Duration::from_secs(3_600), ..SETTINGS });
        let deadline = tokio::time::Instant::now() + Duration::from_millis(1);
        let outcome = deadline::within(deadline, call(&retry, 9, PortErrorKind::Unavailable)).await;
        assert_eq!(outcome, (1, false));
    }
}
