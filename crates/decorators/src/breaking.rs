//! A circuit breaker around any question: a dependency that fails is left alone for a while.
//!
//! Outside the time limit, so that answers that do not come count; inside the cache, so that what is there is given while
//! nothing is asked.

use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::time::Instant;

use crate::breaker::{Breaker, Snapshot};
use crate::deadline;
use crate::guard::{Guard, PortFailure};

/// A breaker in front of one kind of question.
pub struct Breaking {
    dependency: &'static str,
    breaker: Breaker,
    /// The breaker's times are counted from here.
    origin: Instant,
}

/// When trying again makes sense after a refusal without an end in sight.
const SHORTLY: Duration = Duration::from_secs(1);

impl Breaking {
    /// A breaker in front of this dependency.
    #[must_use]
    pub fn new(dependency: &'static str, breaker: Breaker) -> Self {
        Self { dependency, breaker, origin: Instant::now() }
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
        match answer.as_ref().err().and_then(PortFailure::failure).map(PortError::kind) {
            None => permit.succeeded(self.now()),
            // Given up because the request was late, which says nothing about who was asked.
            Some(PortErrorKind::Timeout) if deadline::left().is_some_and(|left| left.is_zero()) => {
                permit.ignored();
            }
            Some(PortErrorKind::Unavailable | PortErrorKind::Timeout) => permit.failed(self.now()),
            // Not asked at all, by a limit of ours; or it answers, if not everybody or not well. Leaving it alone would not
            // help.
            Some(PortErrorKind::Overloaded | PortErrorKind::Refused | PortErrorKind::Corrupt) => {
                permit.ignored();
            }
        }
        answer
    }
}
