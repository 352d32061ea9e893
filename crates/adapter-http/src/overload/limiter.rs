//! The limit on requests in flight of one class, with a queue for those beyond it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decorators::counter::Counter;
use decorators::wait_queue::{WaitLimits, WaitQueue};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::counts::LimiterCounts;
use crate::problem::Problem;

/// The limit and queue length of one class of requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimiterSettings {
    /// Maximum number of requests in flight; 0 disables the limit.
    pub limit: u32,
    /// Maximum number of requests waiting for a permit.
    pub max_waiting: u32,
}

impl Default for LimiterSettings {
    /// Room for more than 10,000 users with one request in flight each. A rush that the node can
    /// serve is never refused, while requests stuck in a hanging store stay bounded. A quarter as
    /// many may wait briefly.
    fn default() -> Self {
        Self { limit: 16_384, max_waiting: 4_096 }
    }
}

/// A concurrency limit with a queue, served in order of arrival.
///
/// A semaphore alone would not do: its release takes a lock, for which all workers would compete on
/// every request. Here only waiters take the lock, and releases while there are waiters.
#[derive(Debug)]
pub(super) struct ConcurrencyLimiter {
    limit: u64,
    /// Requests in flight in the lower half, and in the upper half waiters that were handed no
    /// permit yet. The value is below the limit exactly when a permit is free and no request waits
    /// for it.
    state: AtomicU64,
    /// Permits handed to waiters and not taken yet; they count as in flight. Changed under the
    /// lock.
    handed: Semaphore,
    wait_queue: Mutex<WaitQueue>,
    passed: Counter,
    waited: Counter,
    refused: Counter,
}

/// Maximum time to wait for a permit. It keeps every refusal within 50 ms.
const LONGEST: Duration = Duration::from_millis(40);

/// One waiter in [`ConcurrencyLimiter::state`].
const ONE_WAITS: u64 = 1 << 32;

/// A permit to run; released when dropped. `None` if there is no limit.
#[derive(Debug)]
#[must_use = "dropping this releases the slot"]
pub(crate) struct Permit<'a>(Option<&'a ConcurrencyLimiter>);

/// A place in the queue; released when dropped.
struct Place<'a> {
    limiter: &'a ConcurrencyLimiter,
    is_served: bool,
}

impl ConcurrencyLimiter {
    pub(super) fn new(settings: LimiterSettings) -> Self {
        Self {
            limit: u64::from(settings.limit),
            state: AtomicU64::new(0),
            handed: Semaphore::new(0),
            wait_queue: Mutex::new(WaitQueue::new(WaitLimits {
                max_waiting: settings.max_waiting,
                max_wait: LONGEST,
            })),
            passed: Counter::default(),
            waited: Counter::default(),
            refused: Counter::default(),
        }
    }

    /// Acquires a permit, at once or after a short wait.
    pub(super) async fn pass(&self) -> Result<Permit<'_>, Problem> {
        if self.limit == 0 {
            return Ok(Permit(None));
        }
        if self.change(|state| (state < self.limit).then_some(state + 1)).is_some() {
            self.passed.add_one();
            return Ok(Permit(Some(self)));
        }
        // Boxed to keep the future small for requests that need not wait.
        let permit = Box::pin(self.wait()).await;
        let counter = if permit.is_some() { &self.waited } else { &self.refused };
        counter.add_one();
        permit.ok_or(Problem::Overloaded)
    }

    async fn wait(&self) -> Option<Permit<'_>> {
        let now = Instant::now();
        let limit = self.wait_queue().enter(now)?;
        let mut place = Place::behind(self);
        if !place.is_served {
            let turn = timeout_at(now + limit, self.handed.acquire()).await;
            // The `Permit` returned below replaces the semaphore's permit.
            turn.ok()?.ok()?.forget();
            place.is_served = true;
        }
        Some(Permit(Some(self)))
    }

    /// Changes the state unless `next` returns `None`; returns the previous state.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
    }

    fn release(&self) {
        if self.change(|state| (state < ONE_WAITS).then(|| state - 1)).is_none() {
            self.hand_on(&self.wait_queue());
        }
    }

    /// Hands a released permit to the next waiter, if there is one.
    fn hand_on(&self, _lock: &WaitQueue) {
        let before = self.change(|state| Some(state.checked_sub(ONE_WAITS).unwrap_or(state - 1)));
        if before.is_some_and(|state| state >= ONE_WAITS) {
            self.handed.add_permits(1);
        }
    }

    pub(super) fn counts(&self) -> LimiterCounts {
        LimiterCounts {
            passed: self.passed.get(),
            waited: self.waited.get(),
            refused: self.refused.get(),
            in_flight: self.state.load(Ordering::Acquire) % ONE_WAITS,
            waiting: u64::from(self.wait_queue().waiting()),
        }
    }

    fn wait_queue(&self) -> MutexGuard<'_, WaitQueue> {
        self.wait_queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(limiter) = self.0 {
            limiter.release();
        }
    }
}

impl<'a> Place<'a> {
    /// Enters the queue, or takes a permit that was released just now.
    fn behind(limiter: &'a ConcurrencyLimiter) -> Self {
        let next = |state| Some(if state < limiter.limit { state + 1 } else { state + ONE_WAITS });
        let is_served = limiter.change(next).is_some_and(|before| before < limiter.limit);
        Self { limiter, is_served }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut wait_queue = self.limiter.wait_queue();
        if self.is_served {
            return wait_queue.served(Instant::now());
        }
        wait_queue.gave_up();
        loop {
            if self.limiter.change(|state| state.checked_sub(ONE_WAITS)).is_some() {
                return;
            }
            // Every remaining waiter was handed a permit, so one is there for this waiter, unless a
            // newcomer has just taken it. The newcomer is then counted as a waiter in its place.
            if let Ok(permit) = self.limiter.handed.try_acquire() {
                permit.forget();
                return self.limiter.hand_on(&wait_queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use futures_util::future::{join_all, select};
    use tokio::time::sleep;

    use super::*;

    fn limiter(limit: u32, max_waiting: u32) -> Arc<ConcurrencyLimiter> {
        Arc::new(ConcurrencyLimiter::new(LimiterSettings { limit, max_waiting }))
    }

    /// Returns how long a refused request took, in milliseconds.
    async fn refused_after(limiter: &ConcurrencyLimiter) -> u128 {
        let start = Instant::now();
        let refused = limiter.pass().await;
        assert!(matches!(refused, Err(Problem::Overloaded)), "{refused:?}");
        start.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_and_is_served_in_order() {
        let limiter = limiter(1, 9);
        let permit = limiter.pass().await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..3 {
            let (limiter, done) = (Arc::clone(&limiter), done.clone());
            tokio::spawn(async move {
                let _slot = limiter.pass().await.unwrap();
                sleep(Duration::from_millis(5)).await;
                done.send(n).unwrap();
            });
        }
        sleep(Duration::from_millis(10)).await;
        assert_eq!(
            limiter.counts(),
            LimiterCounts { passed: 1, in_flight: 1, waiting: 3, ..LimiterCounts::default() }
        );
        drop(permit);
        for n in 0..3 {
            assert_eq!(order.recv().await, Some(n));
        }
        tokio::task::yield_now().await;
        assert_eq!(
            limiter.counts(),
            LimiterCounts { passed: 1, waited: 3, ..LimiterCounts::default() }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn when_no_permit_is_released_only_the_first_requests_wait() {
        let limiter = limiter(2, 1_000);
        let _stuck = (limiter.pass().await.unwrap(), limiter.pass().await.unwrap());
        let mut waits = Vec::new();
        for at in 0..300 {
            let limiter = Arc::clone(&limiter);
            waits.push((at, tokio::spawn(async move { refused_after(&limiter).await })));
            sleep(Duration::from_millis(1)).await;
        }
        for (at, wait) in waits {
            // Once the last waiter has left, the queue starts over without an estimate.
            let expected = if at % 60 <= 20 { 40 } else { 0 };
            let wait = wait.await.unwrap();
            assert!(
                (expected..=expected + 1).contains(&wait),
                "the request at {at} ms waited {wait} ms"
            );
        }
        assert_eq!(limiter.counts().refused, 300);
        assert_eq!(refused_after(&limiter).await, 40, "the queue was empty for a moment");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let small = limiter(1, 1);
        let permit = small.pass().await.unwrap();
        let waiting = Arc::clone(&small);
        let second = tokio::spawn(async move { waiting.pass().await.is_ok() });
        tokio::task::yield_now().await;
        assert_eq!(refused_after(&small).await, 0);
        drop(permit);
        assert!(second.await.unwrap());
        let nobody_waits = limiter(1, 0);
        let _slot = nobody_waits.pass().await.unwrap();
        assert_eq!(refused_after(&nobody_waits).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_request_releases_its_slot_and_its_place() {
        let limiter = limiter(1, 1);
        let permit = limiter.pass().await.unwrap();
        let mut waiting = Box::pin(limiter.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!((limiter.counts().in_flight, limiter.counts().waiting), (1, 1));
        drop(waiting);
        assert_eq!((limiter.counts().in_flight, limiter.counts().waiting), (1, 0));

        // Dropped after the permit was handed over but before the waiter was polled.
        let mut waiting = Box::pin(limiter.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(permit);
        drop(waiting);
        assert_eq!((limiter.counts().in_flight, limiter.counts().waiting), (0, 0));
        assert!(limiter.pass().now_or_never().is_some());
    }

    /// Decrements the count of requests in flight when dropped.
    struct Done<'a>(&'a AtomicU64);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Many threads with many requests each, which pass, wait, are refused or are dropped midway.
    #[test]
    fn no_slot_is_lost_or_handed_out_twice() {
        const LIMIT: u32 = 3;
        let limiter = limiter(LIMIT, 4);
        let in_flight = Arc::new(AtomicU64::new(0));
        let yields = async |times: u32| {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        };
        let visit = async |limiter: &ConcurrencyLimiter, in_flight: &AtomicU64, permits: u32| {
            let Ok(_slot) = limiter.pass().await else { return };
            assert!(
                in_flight.fetch_add(1, Ordering::SeqCst) < u64::from(LIMIT),
                "handed out twice"
            );
            let _done = Done(in_flight);
            yields(permits).await;
        };
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let (limiter, in_flight) = (&limiter, &in_flight);
                scope.spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    for round in 0..2_000 {
                        let visits = (0..8).map(|n| async move {
                            let (permits, patience) =
                                ((round * 7 + n * 3 + thread) % 5, (round + n) % 11);
                            // `patience` is polled first, so that some requests leave right after
                            // being served.
                            let patience = std::pin::pin!(yields(patience));
                            select(patience, std::pin::pin!(visit(limiter, in_flight, permits)))
                                .await;
                        });
                        runtime.block_on(join_all(visits));
                    }
                });
            }
        });
        let LimiterCounts { passed, waited, refused, in_flight, waiting } = limiter.counts();
        assert_eq!((in_flight, waiting, limiter.handed.available_permits()), (0, 0, 0), "lost");
        assert!(passed > 0 && waited > 0 && refused > 0, "{passed} {waited} {refused}");
    }

    #[tokio::test]
    async fn a_limit_of_zero_disables_the_gate() {
        let limiter = limiter(0, 0);
        let slots: Vec<_> =
            (0..100).map(|_| limiter.pass().now_or_never().unwrap().unwrap()).collect();
        assert_eq!((slots.len(), limiter.counts()), (100, LimiterCounts::default()));
    }
}
