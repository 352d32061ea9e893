//! The limit on one class of requests: so many at work, and a queue of those who wait for that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decorators::backlog::{Backlog, Waiting};
use decorators::counter::Counter;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::counts::GateCounts;
use crate::problem::Problem;

/// How much of one class is let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GateSettings {
    /// Requests at work, at most; 0 is no limit.
    pub limit: u32,
    /// Requests that wait for others to be done, at most.
    pub max_waiting: u32,
}

impl Default for GateSettings {
    /// Room for 10,000 users who each have a request under way, and to spare: a rush that a node can answer is never
    /// refused, while what does not come back, from a store that hangs, stays bounded. A quarter more may wait for
    /// a moment.
    fn default() -> Self {
        Self { limit: 16_384, max_waiting: 4_096 }
    }
}

/// A limit, and who is at work and waits within it. Those who wait are served in the order they came.
///
/// Not a semaphore alone: its release takes a lock, for which all workers would compete on every request. Here the lock
/// is for those who wait, and for those who leave while somebody does.
#[derive(Debug)]
pub(super) struct Gate {
    limit: u64,
    /// How many are at work, and in the upper half how many wait and were handed no slot yet: it is below the limit
    /// exactly when a slot is free and nobody is before a newcomer.
    state: AtomicU64,
    /// Slots handed to those who wait, as permits, and not taken yet; they count as at work. Changed under the lock.
    handed: Semaphore,
    backlog: Mutex<Backlog>,
    passed: Counter,
    waited: Counter,
    refused: Counter,
}

/// Nobody is refused later than in 50 ms.
const LONGEST: Duration = Duration::from_millis(40);

/// One who waits, in [`Gate::state`].
const ONE_WAITS: u64 = 1 << 32;

/// The right to be at work; given back when dropped. `None` where there is no limit.
#[derive(Debug)]
#[must_use = "the slot is given back when this is dropped"]
pub(crate) struct Slot<'a>(Option<&'a Gate>);

/// A place in the queue; given back when dropped.
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

    /// A slot, now or after a short wait.
    pub(super) async fn pass(&self) -> Result<Slot<'_>, Problem> {
        if self.limit == 0 {
            return Ok(Slot(None));
        }
        if self.change(|state| (state < self.limit).then_some(state + 1)).is_some() {
            self.passed.add_one();
            return Ok(Slot(Some(self)));
        }
        // Boxed, so that requests which need not wait do not carry the room for it.
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
            // What was a permit is the slot from here on.
            turn.ok()?.ok()?.forget();
            place.is_served = true;
        }
        Some(Slot(Some(self)))
    }

    /// Changes the state if it is to be changed; what it was before.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok()
    }

    fn release(&self) {
        if self.change(|state| (state < ONE_WAITS).then(|| state - 1)).is_none() {
            self.hand_on(&self.backlog());
        }
    }

    /// A slot that nobody holds goes to the next who waits.
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
    /// Behind all who wait, or served already when a slot has become free just now.
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
            // As many slots were handed out as people wait, so one is there that was for this one; unless a newcomer has
            // taken it just now, who is counted as waiting for it.
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

    /// How long a refused request took, in milliseconds.
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
    async fn when_nothing_comes_back_the_first_wait_and_all_others_do_not() {
        let gate = gate(2, 1_000);
        let _stuck = (gate.pass().await.unwrap(), gate.pass().await.unwrap());
        let mut waits = Vec::new();
        for at in 0..300 {
            let gate = Arc::clone(&gate);
            waits.push((at, tokio::spawn(async move { refused_after(&gate).await })));
            sleep(Duration::from_millis(1)).await;
        }
        for (at, wait) in waits {
            // Once the last of them is gone, nobody waits and nothing is known.
            let expected = if at % 60 <= 20 { 40 } else { 0 };
            let wait = wait.await.unwrap();
            assert!(
                (expected..=expected + 1).contains(&wait),
                "who came at {at} ms waited {wait} ms"
            );
        }
        assert_eq!(gate.counts().refused, 300);
        assert_eq!(refused_after(&gate).await, 40, "the queue was empty for a moment");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_behind_a_full_queue() {
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
    async fn a_request_that_is_dropped_gives_back_its_slot_and_its_place() {
        let gate = gate(1, 1);
        let slot = gate.pass().await.unwrap();
        let mut waiting = Box::pin(gate.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (1, 1));
        drop(waiting);
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (1, 0));

        // Dropped when the slot is theirs already, and they have not been told.
        let mut waiting = Box::pin(gate.pass());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(slot);
        drop(waiting);
        assert_eq!((gate.counts().at_work, gate.counts().waiting), (0, 0));
        assert!(gate.pass().now_or_never().is_some());
    }

    /// One at work less when dropped.
    struct Done<'a>(&'a AtomicU64);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Many threads, each with many who pass, wait, are refused, or are dropped on the way.
    #[test]
    fn no_slot_is_lost_or_given_twice() {
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
            assert!(at_work.fetch_add(1, Ordering::SeqCst) < u64::from(LIMIT), "given twice");
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
                            // Patience is looked at first, so that some leave who have been served just now.
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
    async fn a_limit_of_zero_is_none() {
        let gate = gate(0, 0);
        let slots: Vec<_> =
            (0..100).map(|_| gate.pass().now_or_never().unwrap().unwrap()).collect();
        assert_eq!((slots.len(), gate.counts()), (100, GateCounts::default()));
    }
}
