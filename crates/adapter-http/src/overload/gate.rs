//! The limit on requests in flight of one class, with a queue for those beyond it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decorators::backlog::{Backlog, Waiting};
use decorators::counter::Counter;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::counts::GateCounts;
use crate::problem::Problem;

/// The limit and queue length of one class of requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GateSettings {
    /// Maximum number of requests in flight; 0 disables the limit.
    pub limit: u32,
    /// Maximum number of requests waiting for a permit.
    pub max_waiting: u32,
}

impl Default for GateSettings {
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
pub(super) struct Gate {
    limit: u64,
    /// Requests in flight in the lower half, and in the upper half waiters that were handed no
    /// permit yet. The value is below the limit exactly when a permit is free and no request waits
    /// for it.
    state: AtomicU64,
    /// Permits handed to waiters and not taken yet; they count as in flight. Changed under the
    /// lock.
    handed: Semaphore,
    backlog: Mutex<Backlog>,
    passed: Counter,
    waited: Counter,
    refused: Counter,
}

/// Maximum time to wait for a permit. It keeps every refusal within 50 ms.
const LONGEST: Duration = Duration::from_millis(40);

/// One waiter in [`Gate::state`].
const ONE_WAITS: u64 = 1 << 32;

/// A permit to run; released when dropped. `None` if there is no limit.
#[derive(Debug)]
#[must_use = "dropping this releases the slot"]
pub(crate) struct Slot<'a>(Option<&'a Gate>);

/// A place in the queue; released when dropped.
struct Place<'a> {
    gate: &'a Gate,
    is_served: bool,
}

impl Gate {
    pub(super) fn new(settings: GateSettings) -> Self {
        Self {
            limit: u64::from(settings.limit),
            state: AtomicU64::new(0),
            handed: Semaphore::new(0),
            backlog: Mutex::new(Backlog::new(Waiting {
                most: settings.max_waiting,
                longest: LONGEST,
            })),
            passed: Counter::default(),
            waited: Counter::default(),
            refused: Counter::default(),
        }
    }

    /// Acquires a permit, at once or after a short wait.
    pub(super) async fn pass(&self) -> Result<Slot<'_>, Problem> {
        if self.limit == 0 {
            return Ok(Slot(None));
        }
        if self.change(|state| (state < self.limit).then_some(state + 1)).is_some() {
            self.passed.add_one();
            return Ok(Slot(Some(self)));
        }
        // Boxed to keep the future small for requests that need not wait.
        let slot = Box::pin(self.wait()).await;
        let counter = if slot.is_some() { &self.waited } else { &self.refused };
        counter.add_one();
        slot.ok_or(Problem::Overloaded)
    }

    async fn wait(&self) -> Option<Slot<'_>> {
        let now = Instant::now();
        let limit = self.backlog().enter(now)?;
        let mut place = Place::behind(self);
        if !place.is_served {
            let turn = timeout_at(now + limit, self.handed.acquire()).await;
            // The `Slot` returned below replaces the semaphore's permit.
            turn.ok()?.ok()?.forget();
            place.is_served = true;
        }
        Some(Slot(Some(self)))
    }

    /// Changes the state unless `next` returns `None`; returns the previous state.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
    }

    fn release(&self) {
        if self.change(|state| (state < ONE_WAITS).then(|| state - 1)).is_none() {
            self.hand_on(&self.backlog());
        }
    }

    /// Hands a released permit to the next waiter, if there is one.
    fn hand_on(&self, _lock: &Backlog) {
        let before = self.change(|state| Some(state.checked_sub(ONE_WAITS).unwrap_or(state - 1)));
        if before.is_some_and(|state| state >= ONE_WAITS) {
            self.handed.add_permits(1);
        }
    }

    pub(super) fn counts(&self) -> GateCounts {
        GateCounts {
            passed: self.passed.get(),
            waited: self.waited.get(),
            refused: self.refused.get(),
            at_work: self.state.load(Ordering::Acquire) % ONE_WAITS,
            waiting: u64::from(self.backlog().waiting()),
        }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.0 {
            gate.release();
        }
    }
}

impl<'a> Place<'a> {
    /// Enters the queue, or takes a permit that was released just now.
    fn behind(gate: &'a Gate) -> Self {
        let next = |state| Some(if state < gate.limit { state + 1 } else { state + ONE_WAITS });
        let is_served = gate.change(next).is_some_and(|before| before < gate.limit);
        Self { gate, is_served }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut backlog = self.gate.backlog();
        if self.is_served {
            return backlog.served(Instant::now());
        }
        backlog.gave_up();
        loop {
            if self.gate.change(|state| state.checked_sub(ONE_WAITS)).is_some() {
                return;
            }
            // Every remaining waiter was handed a permit, so one is there for this waiter, unless a
            // newcomer has just taken it. The newcomer is then counted as a waiter in its place.
            if let Ok(permit) = self.gate.handed.try_acquire() {
                permit.forget();
                return self.gate.hand_on(&backlog);
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

    fn gate(limit: u32, max_waiting: u32) -> Arc<Gate> {
        Arc::new(Gate::new(GateSettings { limit, max_waiting }))
    }

    /// Returns how long a refused request took, in milliseconds.
    async fn refused_after(gate: &Gate) -> u128 {
        let start = Instant::now();
        let refused = gate.pass().await;
        assert!(matches!(refused, Err(Problem::Overloaded)), "{refused:?}");
        start.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_and_is_served_in_order() {
        let gate = gate(1, 9);
        let slot = gate.pass().await.unwrap();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..3 {
            let (gate, done) = (Arc::clone(&gate), done.clone());
            tokio::spawn(async move {
                let _slot = gate.pass().await.unwrap();
                sleep(Duration::from_millis(5)).await;
                done.send(n).unwrap();
            });
        }
        sleep(Duration::from_millis(10)).await;
        assert_eq!(
            gate.counts(),
            GateCounts { passed: 1, at_work: 1, waiting: 3, ..GateCounts::default() }
        );
        drop(slot);
        for n in 0..3 {
            assert_eq!(order.recv().await, Some(n));
        }
        tokio::task::yield_now().await;
        assert_eq!(gate.counts(), GateCounts { passed: 1, waited: 3, ..GateCounts::default() });
    }

    #[tokio::test(start_paused = true)]
    async fn when_no_permit_is_released_only_the_first_requests_wait() {
        let gate = gate(2, 1_000);
        let _stuck = (gate.pass().await.unwrap(), gate.pass().await.unwrap());
        let mut waits = Vec::new();
        for at in 0..300 {
            let gate = Arc::clone(&gate);
            waits.push((at, tokio::spawn(async move { refused_after(&gate).await })));
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
        assert_eq!(gate.counts().refused, 300);
        assert_eq!(refused_after(&gate).await, 40, "the queue was empty for a moment");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_at_once() {
        let small = gate(1, 1);
        let slot = small.pass().await.unwrap();
        let waiting = Arc::clone(&small);
        let second = tokio::spawn(async move { waiting.pass().await.is_ok() });
        tokio::task::yield_now().await;
        assert_eq!(refused_after(&small).await, 0);
        drop(slot);
        assert!(second.await.unwrap());
        let nobody_waits = gate(1, 0);
        let _slot = nobody_waits.pass().await.unwrap();
        assert_eq!(refused_after(&nobody_waits).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_request_releases_its_slot_and_its_place() {
        let gate = gate(1, 1);
        let slot = gate.pass().await.unwrap();
        let mut waiting = Box::pin(gate.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (1, 1));
        drop(waiting);
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (1, 0));

        // Dropped after the permit was handed over but before the waiter was polled.
        let mut waiting = Box::pin(gate.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(slot);
        drop(waiting);
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (0, 0));
        assert!(gate.pass().now_or_never().is_some());
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
        let gate = gate(LIMIT, 4);
        let at_work = Arc::new(AtomicU64::new(0));
        let yields = async |times: u32| {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        };
        let visit = async |gate: &Gate, at_work: &AtomicU64, turns: u32| {
            let Ok(_slot) = gate.pass().await else { return };
            assert!(at_work.fetch_add(1, Ordering::SeqCst) < u64::from(LIMIT), "handed out twice");
            let _done = Done(at_work);
            yields(turns).await;
        };
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let (gate, at_work) = (&gate, &at_work);
                scope.spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    for round in 0..2_000 {
                        let visits = (0..8).map(|n| async move {
                            let (turns, patience) =
                                ((round * 7 + n * 3 + thread) % 5, (round + n) % 11);
                            // `patience` is polled first, so that some requests leave right after
                            // being served.
                            let patience = std::pin::pin!(yields(patience));
                            select(patience, std::pin::pin!(visit(gate, at_work, turns))).await;
                        });
                        runtime.block_on(join_all(visits));
                    }
                });
            }
        });
        let GateCounts { passed, waited, refused, at_work, waiting } = gate.counts();
        assert_eq!((at_work, waiting, gate.handed.available_permits()), (0, 0, 0), "lost");
        assert!(passed > 0 && waited > 0 && refused > 0, "{passed} {waited} {refused}");
    }

    #[tokio::test]
    async fn a_limit_of_zero_disables_the_gate() {
        let gate = gate(0, 0);
        let slots: Vec<_> =
            (0..100).map(|_| gate.pass().now_or_never().unwrap().unwrap()).collect();
        assert_eq!((slots.len(), gate.counts()), (100, GateCounts::default()));
    }
}
