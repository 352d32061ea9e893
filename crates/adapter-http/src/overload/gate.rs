//! The limit on one class of requests: so many at work, and a queue of those who wait for that.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::counts::{Counter, GateCounts};
use super::standing::StandingQueue;
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
    /// refused. What does not come back, from a store that hangs, ends here: so many requests take tens of megabytes.
    fn default() -> Self {
        Self { limit: 16_384, max_waiting: 4_096 }
    }
}

/// A limit, and who is at work and waits within it. Those who wait are served in the order they came.
#[derive(Debug)]
pub(super) struct Gate {
    limit: u32,
    slots: Semaphore,
    /// Locked only by those who cannot go through at once.
    queue: Mutex<StandingQueue>,
    passed: Counter,
    waited: Counter,
    refused: Counter,
}

/// The right to be at work; given back when dropped. `None` where there is no limit.
#[derive(Debug)]
#[must_use = "the slot is given back when this is dropped"]
pub(crate) struct Slot<'a>(#[expect(dead_code, reason = "held, not read")] Option<SemaphorePermit<'a>>);

/// A place in the queue; given back when dropped.
struct Waiting<'a>(&'a Gate);

impl Gate {
    pub(super) fn new(settings: GateSettings) -> Self {
        Self {
            limit: settings.limit,
            slots: Semaphore::new(settings.limit as usize),
            queue: Mutex::new(StandingQueue::new(settings.max_waiting)),
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
        if let Ok(slot) = self.slots.try_acquire() {
            self.passed.add_one();
            return Ok(Slot(Some(slot)));
        }
        // Boxed, so that requests which need not wait do not carry the room for it.
        Box::pin(self.wait()).await
    }

    async fn wait(&self) -> Result<Slot<'_>, Problem> {
        let now = Instant::now();
        let limit = self.queue().enter(now);
        if let Some(limit) = limit {
            let _place = Waiting(self);
            if let Ok(Ok(slot)) = timeout_at(now + limit, self.slots.acquire()).await {
                self.waited.add_one();
                return Ok(Slot(Some(slot)));
            }
        }
        self.refused.add_one();
        Err(Problem::Overloaded)
    }

    pub(super) fn counts(&self) -> GateCounts {
        let free = self.slots.available_permits() as u64;
        GateCounts {
            passed: self.passed.get(),
            waited: self.waited.get(),
            refused: self.refused.get(),
            at_work: u64::from(self.limit).saturating_sub(free),
            waiting: u64::from(self.queue().waiting()),
        }
    }

    fn queue(&self) -> MutexGuard<'_, StandingQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.queue().leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_util::FutureExt as _;
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
                sleep(Duration::from_millis(10)).await;
                done.send(n).unwrap();
            });
        }
        sleep(Duration::from_millis(50)).await;
        assert_eq!(gate.counts(), GateCounts { passed: 1, at_work: 1, waiting: 3, ..GateCounts::default() });
        drop(slot);
        for n in 0..3 {
            assert_eq!(order.recv().await, Some(n));
        }
        tokio::task::yield_now().await;
        assert_eq!(gate.counts(), GateCounts { passed: 1, waited: 3, ..GateCounts::default() });
    }

    #[tokio::test(start_paused = true)]
    async fn when_nothing_comes_back_the_first_wait_long_and_all_others_hardly() {
        let gate = gate(2, 1_000);
        let _stuck = (gate.pass().await.unwrap(), gate.pass().await.unwrap());
        let mut waits = Vec::new();
        for at in 0..300 {
            let gate = Arc::clone(&gate);
            waits.push((at, tokio::spawn(async move { refused_after(&gate).await })));
            sleep(Duration::from_millis(1)).await;
        }
        for (at, wait) in waits {
            let expected = if at < 100 { 100 } else { 5 };
            let wait = wait.await.unwrap();
            assert!((expected..=expected + 1).contains(&wait), "who came at {at} ms waited {wait} ms");
        }
        assert_eq!(gate.counts().refused, 300);
        assert_eq!(refused_after(&gate).await, 100, "the queue was empty for a moment");
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

    #[tokio::test]
    async fn a_limit_of_zero_is_none() {
        let gate = gate(0, 0);
        let slots: Vec<_> = (0..100).map(|_| gate.pass().now_or_never().unwrap().unwrap()).collect();
        assert_eq!((slots.len(), gate.counts()), (100, GateCounts::default()));
    }
}
