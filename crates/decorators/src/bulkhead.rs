//! So many questions at once, so many waiting, and none waiting for long.
//!
//! One kind of question cannot take all connections of a dependency from the others.

use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::counter::Counter;
use crate::deadline;
use crate::guard::{Guard, PortFailure};

/// How much passes at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BulkheadSettings {
    /// Questions at once; at least 1.
    pub concurrent: u32,
    /// Questions that wait for one of those to end; the next one is refused at once.
    pub waiting: u32,
    /// How long one waits before it is refused.
    pub wait: Duration,
}

/// A bulkhead in front of one kind of question.
pub struct Bulkhead {
    dependency: &'static str,
    wait: Duration,
    /// Questions at work and waiting: one permit each.
    places: Semaphore,
    /// Questions at work, in the order they came.
    turns: Semaphore,
    refused: Counter,
}

impl Bulkhead {
    /// A bulkhead in front of this dependency.
    #[must_use]
    pub fn new(dependency: &'static str, settings: BulkheadSettings) -> Self {
        let concurrent = settings.concurrent.max(1) as usize;
        let places = concurrent.saturating_add(settings.waiting as usize).min(Semaphore::MAX_PERMITS);
        Self {
            dependency,
            wait: settings.wait,
            places: Semaphore::new(places),
            turns: Semaphore::new(concurrent),
            refused: Counter::default(),
        }
    }

    /// What it is in front of.
    #[must_use]
    pub fn dependency(&self) -> &'static str {
        self.dependency
    }

    /// Questions refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }

    async fn enter(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), PortError> {
        let place = self.places.try_acquire().map_err(|_| self.refuse("as many questions wait as may"))?;
        let wait = deadline::left().map_or(self.wait, |left| left.min(self.wait));
        match timeout(wait, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok((place, turn)),
            Ok(Err(_)) | Err(_) => Err(self.refuse("no place came free in time")),
        }
    }

    fn refuse(&self, why: &'static str) -> PortError {
        self.refused.add_one();
        PortError::new(PortErrorKind::Overloaded, self.dependency).because(why)
    }
}

impl Guard for Bulkhead {
    async fn ask<T, E, F, A>(&self, question: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        let _inside = self.enter().await?;
        question().await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn bulkhead() -> Bulkhead {
        Bulkhead::new(
            "test",
            BulkheadSettings { concurrent: 2, waiting: 1, wait: Duration::from_millis(100) },
        )
    }

    async fn stuck(bulkhead: &Bulkhead) -> Result<(), PortError> {
        bulkhead.ask(pending).await
    }

    async fn quick(bulkhead: &Bulkhead) -> Result<u8, PortError> {
        bulkhead.ask(|| async { Ok(1) }).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_it_full_waits_for_a_moment_and_who_finds_the_wait_full_does_not() {
        let bulkhead = bulkhead();
        let (one, two) = (stuck(&bulkhead), stuck(&bulkhead));
        tokio::pin!(one, two);
        assert!(futures_ready(one.as_mut()).await.is_none() && futures_ready(two.as_mut()).await.is_none());
        let third = quick(&bulkhead);
        tokio::pin!(third);
        assert!(futures_ready(third.as_mut()).await.is_none(), "the third waits");
        assert_eq!(
            quick(&bulkhead).await.unwrap_err().kind(),
            PortErrorKind::Overloaded,
            "the fourth may not"
        );
        assert_eq!(third.await.unwrap_err().kind(), PortErrorKind::Overloaded, "for as long as it may");
        assert_eq!(bulkhead.refused(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_dropped_makes_room() {
        let bulkhead = bulkhead();
        for _ in 0..100 {
            let asked = stuck(&bulkhead);
            tokio::pin!(asked);
            assert!(futures_ready(asked.as_mut()).await.is_none());
        }
        let (one, two) = (quick(&bulkhead), quick(&bulkhead));
        assert!(one.await.is_ok() && two.await.is_ok());
    }

    /// Polls once.
    async fn futures_ready<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
