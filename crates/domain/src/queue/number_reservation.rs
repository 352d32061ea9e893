//! Reserves numbers outside the store before they are issued.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Checkpoint, CheckpointStore, Incarnations, QueueCounters, QueueId, QueueStore, Snapshot,
};
use crate::{PortError, Timestamp};

/// How numbers are reserved in a checkpoint.
#[derive(Clone)]
pub struct NumberReservation {
    /// The checkpoint store.
    pub store: Arc<dyn CheckpointStore>,
    /// The least count of numbers reserved beyond the last one. Up to this many are skipped if
    /// everything is lost at once, and this many can be issued while the checkpoint store is
    /// unreachable.
    pub numbers: u64,
}

/// This node's knowledge of the checkpoint. One task runs its steps; any task may read it.
pub(super) struct Reserved {
    reserve: NumberReservation,
    /// The generation of the store for which the checkpoint was read.
    settled: AtomicU64,
    ceiling: AtomicU64,
    saved: Mutex<Saved>,
}

/// The state saved last by this node.
#[derive(Clone, Copy, Default)]
struct Saved {
    counters: QueueCounters,
    /// The count of numbers issued until then.
    joined: u64,
    /// The saved incarnations.
    incarnations: Incarnations,
    at_ms: Option<i64>,
}

/// Not a generation: a store's generations are above 0.
const NEVER: u64 = 0;
/// The interval of saves while the queue moves.
const SAVE_EVERY_MS: i64 = 1_000;
/// In a rush, the reserve is this many times the numbers issued since the last save.
const RUSH: u64 = 4;

impl Reserved {
    pub(super) fn new(reserve: NumberReservation) -> Self {
        Self {
            reserve,
            settled: AtomicU64::new(NEVER),
            ceiling: AtomicU64::new(0),
            saved: Mutex::default(),
        }
    }

    /// The highest number that may be issued in this generation of the store; `None` until this
    /// node has read the checkpoint. If the store reports that the generation `is_settled`, an
    /// earlier reading is enough: reserved numbers stay reserved, and after a restart without
    /// losses the queue continues while the checkpoint store is unreachable.
    pub(super) fn ceiling(&self, generation: u64, is_settled: bool) -> Option<u64> {
        let read_for = self.settled.load(Ordering::Acquire);
        let is_usable =
            generation != NEVER && read_for != NEVER && (is_settled || read_for == generation);
        is_usable.then(|| self.ceiling.load(Ordering::Acquire))
    }

    /// Reads the checkpoint once for each generation of the store, and passes it to the store. It
    /// must be read after the generation is known: an older reading may lack numbers that were
    /// reserved and lost since. Returns the store's report after it applied the checkpoint.
    pub(super) async fn settle(
        &self,
        queue: QueueId,
        store: &dyn QueueStore,
        generation: u64,
    ) -> Result<Option<Snapshot>, PortError> {
        if generation != NEVER && self.settled.load(Ordering::Acquire) == generation {
            return Ok(None);
        }
        let generation = store.snapshot(QueueCounters::START).await?.generation;
        let remembered = self.reserve.store.load(queue).await?;
        let snapshot = store.settle(generation, remembered).await?;
        if snapshot.is_settled {
            let ceiling = remembered.map_or(0, |checkpoint| checkpoint.ceiling);
            self.ceiling.fetch_max(ceiling, Ordering::AcqRel);
            self.settled.store(snapshot.generation, Ordering::Release);
        }
        Ok(Some(snapshot))
    }

    /// Saves the queue's progress if due: every second while it moves, well before its numbers pass
    /// the ceiling, and when an incarnation is not saved yet. It saves nothing for a queue without
    /// incarnations, which has issued no number. `joined` counts issued numbers, without those
    /// skipped by a recovery.
    pub(super) async fn save(
        &self,
        queue: QueueId,
        counters: QueueCounters,
        incarnations: Incarnations,
        joined: u64,
        now: Timestamp,
    ) -> Result<(), PortError> {
        if incarnations.is_empty() {
            return Ok(());
        }
        let saved = *self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let rush =
            saved.at_ms.map_or(0, |_| joined.saturating_sub(saved.joined).saturating_mul(RUSH));
        let beyond = self.reserve.numbers.max(rush);
        let left = self.ceiling.load(Ordering::Acquire).saturating_sub(counters.last());
        let now_ms = now.as_millisecond();
        let since = saved.at_ms.map_or(i64::MAX, |at| now_ms.saturating_sub(at));
        let is_due = counters != saved.counters && since >= SAVE_EVERY_MS;
        let is_known = saved.incarnations.union(incarnations) == saved.incarnations;
        if left > beyond / 2 && !is_due && is_known {
            return Ok(());
        }
        let checkpoint = Checkpoint::new(counters, counters.last().saturating_add(beyond))
            .with_incarnations(incarnations);
        let remembered = self.reserve.store.save(queue, checkpoint).await?;
        self.ceiling.fetch_max(remembered.ceiling, Ordering::AcqRel);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) =
            Saved { counters, joined, incarnations: remembered.incarnations, at_ms: Some(now_ms) };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
