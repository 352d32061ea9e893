//! A circuit breaker around any question: a dependency that fails is left alone for a while.
//!
//! Outside the time limit, so that answers that do not come count; inside the cache, so that what is there is given while
//! nothing is asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::time::Instant;

use crate::breaker::{Breaker, Permit, Snapshot, State};
use crate::deadline;
use crate::guard::{Guard, PortFailure};

/// A breaker in front of one kind of question.
pub struct Breaking {
    dependency: &'static str,
    breaker: Breaker,
    /// The breaker's times are counted from here.
    origin: Instant,
    /// The last sign of life was missing.
    is_away: AtomicBool,
}

/// When trying again makes sense after a refusal without an end in sight.
const SHORTLY: Duration = Duration::from_secs(1);

impl Breaking {
    /// A breaker in front of this dependency.
    #[must_use]
    pub fn new(dependency: &'static str, breaker: Breaker) -> Self {
        Self { dependency, breaker, origin: Instant::now(), is_away: AtomicBool::new(false) }
    }

    /// What it is in front of.
    #[must_use]
    pub fn dependency(&self) -> &'static str {
        self.dependency
    }

    /// What it has counted and what it does now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot(self.now())
    }

    /// Whether it would refuse a call made now. An open breaker whose wait is over refuses nobody:
    /// the next call is a trial.
    #[must_use]
    pub fn refuses(&self) -> bool {
        let Snapshot { state, retry_in, permits_left, .. } = self.snapshot();
        match state {
            State::Closed | State::Disabled | State::MetricsOnly => false,
            State::Open => retry_in.is_some_and(|wait| !wait.is_zero()),
            State::HalfOpen => permits_left == Some(0),
            State::ForcedOpen => true,
        }
    }

    /// Takes in how a regular call of this node went that passes by the breaker. Once the
    /// dependency answers again after it did not, the next call is a trial, however long the
    /// breaker would have stayed open.
    pub fn note_heartbeat(&self, failure: Option<PortErrorKind>) {
        match failure {
            Some(PortErrorKind::Unavailable | PortErrorKind::Timeout) => {
                self.is_away.store(true, Ordering::Relaxed);
            }
            // A limit of ours: nobody was asked.
            Some(PortErrorKind::Overloaded | PortErrorKind::Refused) => {}
            None | Some(PortErrorKind::NotReady | PortErrorKind::Corrupt) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    self.breaker.end_wait(self.now());
                }
            }
        }
    }

    /// Counts how a check of the dependency went as a call of a trial, where the breaker waits for
    /// calls: one that nobody needs any more would never close otherwise.
    pub fn note_check(&self, failure: Option<PortErrorKind>) {
        let is_on_trial =
            matches!(self.snapshot().state, State::Open | State::HalfOpen) && !self.refuses();
        if is_on_trial && let Ok(permit) = self.breaker.try_acquire(self.now()) {
            self.conclude(permit, failure);
        }
    }

    fn conclude(&self, permit: Permit<'_>, failure: Option<PortErrorKind>) {
        match failure {
            None => permit.succeeded(self.now()),
            // It answers. What it refuses on purpose is no failure, however long it was asked for
            // it.
            Some(PortErrorKind::NotReady) => permit.answered(self.now()),
            // Given up because the request was late, which says nothing about who was asked.
            Some(PortErrorKind::Timeout) if deadline::left().is_some_and(|left| left.is_zero()) => {
                permit.ignored();
            }
            Some(PortErrorKind::Unavailable | PortErrorKind::Timeout) => permit.failed(self.now()),
            // Not asked at all, by a limit of ours; or it answers, if not everybody or not well.
            // Leaving it alone would not help.
            Some(PortErrorKind::Overloaded | PortErrorKind::Refused | PortErrorKind::Corrupt) => {
                permit.ignored();
            }
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl Guard for Breaking {
    async fn ask<T, E, F, A>(&self, question: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        // Dropped without a verdict when the future is: the permit is given back, and nothing counted.
        let permit = self.breaker.try_acquire(self.now()).map_err(|refused| {
            PortError::new(PortErrorKind::Refused, self.dependency)
                .retry_after(refused.retry_in.unwrap_or(SHORTLY))
                .because("the circuit breaker is open")
        })?;
        let answer = question().await;
        self.conclude(
            permit,
            answer.as_ref().err().and_then(PortFailure::failure).map(PortError::kind),
        );
        answer
    }
}
