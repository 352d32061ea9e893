//! Numbers reserved outside the store, before they are given.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Checkpoint, CheckpointStore, Line, QueueId, QueueStore};
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
    is_loaded: AtomicBool,
    ceiling: AtomicU64,
    saved: Mutex<Line>,
    saved_at: AtomicI64,
}

/// A line that moves is remembered this often.
const SAVE_EVERY_MS: i64 = 1_000;
/// In a rush so many times the numbers given since the last save are reserved.
const RUSH: u64 = 4;

impl Reserved {
    pub(super) fn new(reserve: Reserve) -> Self {
        Self {
            reserve,
            is_loaded: AtomicBool::new(false),
            ceiling: AtomicU64::new(0),
            saved: Mutex::new(Line::START),
            saved_at: AtomicI64::new(i64::MIN),
        }
    }

    /// The highest number that may be given; `None` until the checkpoint was read.
    pub(super) fn ceiling(&self) -> Option<u64> {
        self.is_loaded.load(Ordering::Acquire).then(|| self.ceiling.load(Ordering::Acquire))
    }

    /// Reads the checkpoint once. Returns how far the line must be raised: to the ceiling when the store is behind what is
    /// remembered, because numbers up to there may have been given.
    pub(super) async fn load(&self, queue: QueueId, line: &dyn QueueStore) -> Result<Line, PortError> {
        if self.is_loaded.load(Ordering::Acquire) {
            return Ok(Line::START);
        }
        let remembered = self.reserve.store.load(queue).await?;
        let mut floor = Line::START;
        if let Some(checkpoint) = remembered {
            let seen = line.snapshot(Line::START).await?;
            let now = seen.line;
            let is_behind = now.last() < checkpoint.line.last() || now.serving() < checkpoint.line.serving();
            // One that may have lost a second of numbers can be ahead of what was remembered a second ago all the same.
            let is_behind = is_behind || seen.recovers && now.last() < checkpoint.ceiling;
            if is_behind {
                floor = Line::new(checkpoint.ceiling, checkpoint.line.serving());
                // Before this node reserves more: another one that starts must not take the store to be behind that.
                line.snapshot(floor).await?;
            }
            self.ceiling.fetch_max(checkpoint.ceiling, Ordering::AcqRel);
        }
        self.is_loaded.store(true, Ordering::Release);
        Ok(floor)
    }

    /// Remembers the line when it is time to: every second while it moves, and well before its numbers pass the ceiling.
    pub(super) async fn save(&self, queue: QueueId, line: Line, now: Timestamp) -> Result<(), PortError> {
        let saved = *self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let rush = line.last().saturating_sub(saved.last()).saturating_mul(RUSH);
        let beyond = self.reserve.numbers.max(if saved == Line::START { 0 } else { rush });
        let left = self.ceiling.load(Ordering::Acquire).saturating_sub(line.last());
        let since = now.as_millisecond().saturating_sub(self.saved_at.load(Ordering::Acquire));
        let is_due = line != saved && since >= SAVE_EVERY_MS;
        if left > beyond / 2 && !is_due {
            return Ok(());
        }
        let checkpoint = Checkpoint::new(line, line.last().saturating_add(beyond));
        let remembered = self.reserve.store.save(queue, checkpoint).await?;
        self.ceiling.fetch_max(remembered.ceiling, Ordering::AcqRel);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = line;
        self.saved_at.store(now.as_millisecond(), Ordering::Release);
        Ok(())
    }
}
