//! A timeout for every call: the dependency's own limit or the remaining time of the request,
//! whichever is shorter.
//!
//! Inside the breaker, so that the breaker counts a timeout as a failure.

use std::time::Duration;

use domain::{Dependency, PortError, PortErrorKind};
use tokio::time::timeout;

use crate::deadline;
use crate::failure::PortFailure;
use crate::layer::Layer;

/// Cancels a call that takes too long, and does not start one whose deadline has passed.
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    dependency: Dependency,
    limit: Duration,
}

impl Timeout {
    /// Limits calls to this dependency to `limit`.
    #[must_use]
    pub fn new(dependency: Dependency, limit: Duration) -> Self {
        Self { dependency, limit }
    }

    fn error(self, kind: PortErrorKind, why: &'static str) -> PortError {
        PortError::new(kind, self.dependency).because(why)
    }
}

impl Layer for Timeout {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        let limit = match deadline::left() {
            // The dependency was not called, so the outcome is certain.
            Some(left) if left.is_zero() => {
                return Err(self
                    .error(
                        PortErrorKind::Overloaded,
                        "the request's deadline passed before the call",
                    )
                    .into());
            }
            Some(left) => left.min(self.limit),
            None => self.limit,
        };
        match timeout(limit, port_call()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.error(PortErrorKind::Timeout, "no answer within the limit").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    const LIMIT: Timeout =
        Timeout { dependency: Dependency::named("test"), limit: Duration::from_millis(200) };

    #[tokio::test(start_paused = true)]
    async fn a_call_is_cancelled_at_the_limit() {
        let began = Instant::now();
        let answer: Result<(), PortError> = LIMIT.call(pending).await;
        assert_eq!(answer.unwrap_err().kind(), PortErrorKind::Timeout);
        assert_eq!(began.elapsed(), Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_request_deadline_shortens_the_limit() {
        let began = Instant::now();
        let asking = LIMIT.call(pending::<Result<(), PortError>>);
        let answer = deadline::within(began + Duration::from_millis(50), asking).await;
        assert_eq!(answer.unwrap_err().kind(), PortErrorKind::Timeout);
        assert_eq!(began.elapsed(), Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn work_whose_deadline_has_passed_is_not_started() {
        let outcome = AtomicU32::new(0);
        let port_call = || async {
            outcome.fetch_add(1, Ordering::SeqCst);
            Ok::<_, PortError>(())
        };
        let deadline = Instant::now();
        let answer = deadline::within(deadline, LIMIT.call(port_call)).await;
        assert_eq!(answer.unwrap_err().kind(), PortErrorKind::Overloaded);
        assert_eq!(outcome.load(Ordering::SeqCst), 0);
        LIMIT.call(port_call).await.unwrap();
        assert_eq!(outcome.load(Ordering::SeqCst), 1);
    }
}
