//! Numbers reserved outside the store, before they are given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Checkpoint, CheckpointStore, Incarnations, Line, QueueId, QueueStore, Snapshot};
use crate::{PortError, Timestamp};

/// How numbers are reserved in a checkpoint.
#[derive(Clone)]
pub struct Reserve {
    /// Where it is remembered.
    pub store: Arc<dyn CheckpointStore>,
    /// How many numbers are reserved beyond the last one, at least. So many may be skipped when everything is lost at once,
    /// and so many can be given while the checkpoint cannot be reached.
    pub numbers: u64,
}

/// What this node knows of the checkpoint. Steps are taken by one task; everybody may read.
pub(super) struct Reserved {
    reserve: Reserve,
    /// The generation of the store that the checkpoint was read for.
    settled: AtomicU64,
    ceiling: AtomicU64,
    saved: Mutex<Saved>,
}

/// What this node saved last.
#[derive(Clone, Copy, Default)]
struct Saved {
    line: Line,
    /// Numbers given until then.
    joined: u64,
    /// Lives of the queue that are remembered.
    incarnations: Incarnations,
    at_ms: Option<i64>,
}

/// No generation: the first is 1.
const NEVER: u64 = 0;
/// A queue that moves is remembered this often.
const SAVE_EVERY_MS: i64 = 1_000;
/// In a rush so many times the numbers given since the last save are reserved.
const RUSH: u64 = 4;

impl Reserved {
    pub(super) fn new(reserve: Reserve) -> Self {
        Self {
            reserve,
            settled: AtomicU64::new(NEVER),
            ceiling: AtomicU64::new(0),
            saved: Mutex::default(),
        }
    }

    /// The highest number that may be given in this generation of the store; `None` until this node
    /// has read the checkpoint. Where the store says that the generation `is_settled`, an earlier
    /// reading will do: what was reserved stays reserved, and after a restart that lost nothing the
    /// queue goes on while the checkpoint cannot be reached.
    pub(super) fn ceiling(&self, generation: u64, is_settled: bool) -> Option<u64> {
        let read_for = self.settled.load(Ordering::Acquire);
        let is_usable =
            generation != NEVER && read_for != NEVER && (is_settled || read_for == generation);
        is_usable.then(|| self.ceiling.load(Ordering::Acquire))
    }

    /// Reads the checkpoint once for each generation of the store, and lets the store decide what it proves. Read after the
    /// generation is known: an older reading may lack numbers that were reserved and lost since.
    /// Returns what the store reported after it took the checkpoint in.
    pub(super) async fn settle(
        &self,
        queue: QueueId,
        store: &dyn QueueStore,
        generation: u64,
    ) -> Result<Option<Snapshot>, PortError> {
        if generation != NEVER && self.settled.load(Ordering::Acquire) == generation {
            return Ok(None);
        }
        let generation = store.snapshot(Line::START).await?.generation;
        let remembered = self.reserve.store.load(queue).await?;
        let snapshot = store.settle(generation, remembered).await?;
        if snapshot.is_settled {
            let ceiling = remembered.map_or(0, |checkpoint| checkpoint.ceiling);
            self.ceiling.fetch_max(ceiling, Ordering::AcqRel);
            self.settled.store(snapshot.generation, Ordering::Release);
        }
        Ok(Some(snapshot))
    }

    /// Remembers the queue when it is time to: every second while it moves, well before its numbers
    /// pass the ceiling, and
    /// when it has a life that is not remembered. Of a queue without any nothing is saved: no
    /// number of it was given.
    /// `joined` counts the numbers given, which those skipped by a recovery are not.
    pub(super) async fn save(
        &self,
        queue: QueueId,
        line: Line,
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
        let left = self.ceiling.load(Ordering::Acquire).saturating_sub(line.last());
        let now_ms = now.as_millisecond();
        let since = saved.at_ms.map_or(i64::MAX, |at| now_ms.saturating_sub(at));
        let is_due = line != saved.line && since >= SAVE_EVERY_MS;
        let is_known = saved.incarnations.union(incarnations) == saved.incarnations;
        if left > beyond / 2 && !is_due && is_known {
            return Ok(());
        }
        let checkpoint = Checkpoint::new(line, line.last().saturating_add(beyond))
            .with_incarnations(incarnations);
        let remembered = self.reserve.store.save(queue, checkpoint).await?;
        self.ceiling.fetch_max(remembered.ceiling, Ordering::AcqRel);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) =
            Saved { line, joined, incarnations: remembered.incarnations, at_ms: Some(now_ms) };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
