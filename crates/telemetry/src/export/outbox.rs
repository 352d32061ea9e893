//! What waits to be sent, counted: so that its bound is exact, and everything given up is known.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::counter::Counter;

/// The accounts of one kind of telemetry. At any time what was handed in is what was exported, what failed, what found no
/// place, and what is inside.
#[derive(Debug)]
pub(crate) struct Outbox {
    capacity: usize,
    inside: AtomicUsize,
    exported: Counter,
    failed: Counter,
    full: Counter,
}

impl Outbox {
    /// An empty one with so many places.
    pub(crate) fn new(capacity: usize) -> Self {
        let (exported, failed, full) = (Counter::default(), Counter::default(), Counter::default());
        Self { capacity, inside: AtomicUsize::new(0), exported, failed, full }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether one more finds a place.
    pub(super) fn enter(&self) -> bool {
        let one_more = |inside: usize| (inside < self.capacity).then_some(inside + 1);
        let entered =
            self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        if !entered {
            self.full.add(1);
        }
        entered
    }

    /// So many were exported, or failed to be.
    pub(super) fn leave(&self, items: usize, is_exported: bool) {
        self.inside.fetch_sub(items, Ordering::Relaxed);
        self.count(items, is_exported);
    }

    /// The same for what takes no place.
    pub(super) fn count(&self, items: usize, is_exported: bool) {
        let counter = if is_exported { &self.exported } else { &self.failed };
        counter.add(items as u64);
    }

    pub(crate) fn exported(&self) -> u64 {
        self.exported.get()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.get()
    }

    pub(crate) fn full(&self) -> u64 {
        self.full.get()
    }
}
