//! Records a history while clients run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Completion, Invocation, Record};

/// The calls of clients and their outcomes, in the order in which the calls began. Clones share one
/// record. Any number of threads can append to it concurrently; entries are never removed.
#[derive(Clone, Debug)]
pub struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// The length of the history at `start`.
    passed: Duration,
    records: Mutex<Vec<Record>>,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// An empty history that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    /// A history that continues after these records, from the latest time in them.
    pub(super) fn with(records: Vec<Record>) -> Self {
        let times = records.iter().map(|record| record.ended.unwrap_or(record.begun));
        let passed = times.max().unwrap_or_default();
        Self(Arc::new(Inner { start: Instant::now(), passed, records: Mutex::new(records) }))
    }

    /// Records that a call begins; call this before sending anything to the service.
    pub fn begin(&self, requested: Invocation) -> Op {
        let mut records = self.lock();
        let id = records.len();
        // Read under the lock, so that the order of ids is the order of time.
        let begun = self.now();
        records.push(Record {
            id: id as u64,
            begun,
            ended: None,
            requested,
            reported: Completion::Unknown,
        });
        drop(records);
        Op { history: self.clone(), id, reported: Completion::Unknown }
    }

    /// A copy of all ops so far, ordered by id.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().clone()
    }

    fn now(&self) -> Duration {
        self.0.passed + self.0.start.elapsed()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call without an outcome yet. If it is dropped without [`end`](Self::end), for example by a
/// task that is cancelled or panics, its outcome is unknown.
#[derive(Debug)]
#[must_use = "dropped at once, its outcome is unknown at once"]
pub struct Op {
    history: History,
    id: usize,
    reported: Completion,
}

impl Op {
    /// Records the outcome; call this as soon as the response arrives.
    pub fn end(mut self, reported: Completion) {
        self.reported = reported;
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        let now = self.history.now();
        if let Some(record) = self.history.lock().get_mut(self.id) {
            record.ended = Some(now);
            record.reported = self.reported;
        }
    }
}
