//! A bounded count of the items waiting to be sent. The limit is exact, and every dropped item is
//! counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::counter::Counter;

/// The counts of one kind of telemetry. At any time the items submitted equal those exported,
/// failed, refused because the queue was full, and still waiting.
#[derive(Debug)]
pub(crate) struct ExportQueue {
    capacity: usize,
    inside: AtomicUsize,
    exported: Counter,
    failed: Counter,
    full: Counter,
}

impl ExportQueue {
    /// Creates an empty queue for this many items.
    pub(crate) fn new(capacity: usize) -> Self {
        let (exported, failed, full) = (Counter::default(), Counter::default(), Counter::default());
        Self { capacity, inside: AtomicUsize::new(0), exported, failed, full }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds one item, if there is room.
    pub(super) fn enter(&self) -> bool {
        let one_more = |inside: usize| (inside < self.capacity).then_some(inside + 1);
        let entered =
            self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        if !entered {
            self.full.add(1);
        }
        entered
    }

    /// Records items that were exported or failed.
    pub(super) fn leave(&self, items: usize, is_exported: bool) {
        self.inside.fetch_sub(items, Ordering::Relaxed);
        self.count(items, is_exported);
    }

    /// The same for items that never waited.
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
