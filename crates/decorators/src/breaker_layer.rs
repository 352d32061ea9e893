//! A circuit breaker around any port: while a dependency fails, it gets no calls.
//!
//! Outside the timeout, so that timeouts count; inside the cache, so that cached answers are served
//! while the breaker is open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Dependency, PortError, PortErrorKind};
use tokio::time::Instant;

use crate::breaker::{Breaker, Permit, Snapshot, State};
use crate::deadline;
use crate::failure::PortFailure;
use crate::layer::Layer;

/// A breaker in front of one kind of call.
pub struct CircuitBreakerLayer {
    dependency: Dependency,
    breaker: Breaker,
    /// The breaker measures time from here.
    origin: Instant,
    /// The last heartbeat failed.
    is_away: AtomicBool,
}

/// The retry delay reported when the breaker knows none.
const SHORTLY: Duration = Duration::from_secs(1);

impl CircuitBreakerLayer {
    /// Creates the layer for this dependency.
    #[must_use]
    pub fn new(dependency: Dependency, breaker: Breaker) -> Self {
        Self { dependency, breaker, origin: Instant::now(), is_away: AtomicBool::new(false) }
    }

    /// The dependency this breaker protects.
    #[must_use]
    pub fn dependency(&self) -> Dependency {
        self.dependency
    }

    /// The breaker's state and counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot(self.now())
    }

    /// Whether a call made now would be refused. An open breaker whose wait is over refuses no
    /// call: the next one is a trial.
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

    /// Records the outcome of a periodic call that bypasses the breaker. The first success after a
    /// failure ends the breaker's wait, so that the next call is a trial.
    pub fn note_heartbeat(&self, failure: Option<PortErrorKind>) {
        match failure {
            Some(PortErrorKind::Unavailable | PortErrorKind::Timeout) => {
                self.is_away.store(true, Ordering::Relaxed);
            }
            // Our own limit refused the call; it says nothing about the dependency.
            Some(PortErrorKind::Overloaded | PortErrorKind::Refused) => {}
            None | Some(PortErrorKind::NotReady | PortErrorKind::Corrupt) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    self.breaker.end_wait(self.now());
                }
            }
        }
    }

    /// Records a health check as a trial call if the breaker is waiting for one. Otherwise a
    /// breaker without traffic would never close.
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
            // The dependency responds. A deliberate refusal is not a failure, however long it took.
            Some(PortErrorKind::NotReady) => permit.answered(self.now()),
            // Cancelled by the request's deadline, which says nothing about the dependency.
            Some(PortErrorKind::Timeout) if deadline::left().is_some_and(|left| left.is_zero()) => {
                permit.ignored();
            }
            Some(PortErrorKind::Unavailable | PortErrorKind::Timeout) => permit.failed(self.now()),
            // Our own limit refused the call, or the dependency responds, though not to everyone or
            // not correctly. Opening the breaker would not help.
            Some(PortErrorKind::Overloaded | PortErrorKind::Refused | PortErrorKind::Corrupt) => {
                permit.ignored();
            }
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

impl Layer for CircuitBreakerLayer {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        // If this future is dropped, so is the permit: it is released and no outcome is counted.
        let permit = self.breaker.try_acquire(self.now()).map_err(|refused| {
            PortError::new(PortErrorKind::Refused, self.dependency)
                .retry_after(refused.retry_in.unwrap_or(SHORTLY))
                .because("the circuit breaker is open")
        })?;
        let answer = port_call().await;
        self.conclude(
            permit,
            answer.as_ref().err().and_then(PortFailure::failure).map(PortError::kind),
        );
        answer
    }
}
