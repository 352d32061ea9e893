//! Limits concurrent calls, the calls that wait for a permit, and how long they wait.
//!
//! One kind of call cannot take all connections of a dependency from the others.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{Dependency, PortError, PortErrorKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::counter::Counter;
use crate::deadline;
use crate::failure::PortFailure;
use crate::layer::Layer;
use crate::wait_queue::{WaitLimits, WaitQueue};

/// The limits of a bulkhead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BulkheadSettings {
    /// Maximum number of concurrent calls; at least 1.
    pub concurrent: u32,
    /// Limits on the calls that wait for a permit.
    pub waiting: WaitLimits,
}

/// A bulkhead in front of one kind of call.
pub struct Bulkhead {
    dependency: Dependency,
    /// Permits for calls in flight, granted in order of arrival.
    permits: Semaphore,
    backlog: Mutex<WaitQueue>,
    refused: Counter,
}

/// A position in the wait queue, released on drop.
struct Place<'a> {
    bulkhead: &'a Bulkhead,
    is_served: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut backlog = self.bulkhead.backlog();
        if self.is_served { backlog.served(Instant::now()) } else { backlog.gave_up() }
    }
}

impl Bulkhead {
    /// Creates a bulkhead in front of this dependency.
    #[must_use]
    pub fn new(dependency: Dependency, settings: BulkheadSettings) -> Self {
        Self {
            dependency,
            permits: Semaphore::new(settings.concurrent.max(1) as usize),
            backlog: Mutex::new(WaitQueue::new(settings.waiting)),
            refused: Counter::default(),
        }
    }

    /// The dependency this bulkhead protects.
    #[must_use]
    pub fn dependency(&self) -> Dependency {
        self.dependency
    }

    /// The number of calls refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }

    async fn enter(&self) -> Result<SemaphorePermit<'_>, PortError> {
        // This does not overtake waiting calls: the semaphore hands a released permit to the first
        // of them.
        if let Ok(turn) = self.permits.try_acquire() {
            return Ok(turn);
        }
        let wait = self.backlog().enter(Instant::now());
        let wait = wait.ok_or_else(|| self.refuse("too many calls wait to be served in time"))?;
        let mut place = Place { bulkhead: self, is_served: false };
        let wait = deadline::left().map_or(wait, |left| left.min(wait));
        match timeout(wait, self.permits.acquire()).await {
            Ok(Ok(turn)) => {
                place.is_served = true;
                Ok(turn)
            }
            Ok(Err(_)) | Err(_) => Err(self.refuse("no permit became free in time")),
        }
    }

    fn refuse(&self, why: &'static str) -> PortError {
        self.refused.add_one();
        PortError::new(PortErrorKind::Overloaded, self.dependency).because(why)
    }

    fn backlog(&self) -> MutexGuard<'_, WaitQueue> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layer for Bulkhead {
    async fn call<T, E, F, A>(&self, port_call: F) -> Result<T, E>
    where
        T: Send,
        E: PortFailure,
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, E>> + Send,
    {
        let _inside = self.enter().await?;
        port_call().await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use super::*;

    fn bulkhead(concurrent: u32, max_waiting: u32) -> Bulkhead {
        let longest = Duration::from_millis(100);
        Bulkhead::new(
            Dependency::named("test"),
            BulkheadSettings { concurrent, waiting: WaitLimits { max_waiting, max_wait: longest } },
        )
    }

    async fn stuck(bulkhead: &Bulkhead) -> Result<(), PortError> {
        bulkhead.call(pending).await
    }

    async fn quick(bulkhead: &Bulkhead) -> Result<u8, PortError> {
        bulkhead.call(|| async { Ok(1) }).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_if_the_bulkhead_is_full_and_is_refused_if_the_backlog_is_full() {
        let bulkhead = bulkhead(2, 1);
        let (one, two) = (stuck(&bulkhead), stuck(&bulkhead));
        tokio::pin!(one, two);
        assert!(
            futures_ready(one.as_mut()).await.is_none()
                && futures_ready(two.as_mut()).await.is_none()
        );
        let third = quick(&bulkhead);
        tokio::pin!(third);
        assert!(futures_ready(third.as_mut()).await.is_none(), "the third waits");
        assert_eq!(
            quick(&bulkhead).await.unwrap_err().kind(),
            PortErrorKind::Overloaded,
            "the fourth is refused at once"
        );
        assert_eq!(
            third.await.unwrap_err().kind(),
            PortErrorKind::Overloaded,
            "the third is refused after its maximum wait"
        );
        assert_eq!(bulkhead.refused(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_refused_at_once_after_half_the_maximum_wait_behind_a_stuck_call() {
        let bulkhead = bulkhead(1, 100);
        let stuck = stuck(&bulkhead);
        tokio::pin!(stuck);
        assert!(futures_ready(stuck.as_mut()).await.is_none());
        let refused_after = async |at| {
            tokio::time::sleep(Duration::from_millis(at)).await;
            let began = Instant::now();
            assert_eq!(quick(&bulkhead).await.unwrap_err().kind(), PortErrorKind::Overloaded);
            began.elapsed().as_millis()
        };
        let waits = tokio::join!(refused_after(0), refused_after(50), refused_after(51));
        assert_eq!(waits, (100, 100, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_call_releases_its_permit() {
        let bulkhead = bulkhead(2, 1);
        for _ in 0..100 {
            let outcome = stuck(&bulkhead);
            tokio::pin!(outcome);
            assert!(futures_ready(outcome.as_mut()).await.is_none());
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
