//! The recorder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Asked, Record, Told};

/// What clients asked and were told, in the order in which they began to ask. Clones share one record; any number of
/// threads may add to it at once, and nothing is ever taken away.
#[derive(Clone, Debug)]
pub struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// How much time of the history had passed at `start`.
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

    /// A history that goes on, at the latest time in it, from these records.
    pub(super) fn with(records: Vec<Record>) -> Self {
        let times = records.iter().map(|record| record.ended.unwrap_or(record.begun));
        let passed = times.max().unwrap_or_default();
        Self(Arc::new(Inner { start: Instant::now(), passed, records: Mutex::new(records) }))
    }

    /// Notes that this is about to be asked; call it before anything leaves for the service.
    pub fn begin(&self, asked: Asked) -> Op {
        let mut records = self.lock();
        let id = records.len();
        // Read under the lock, so that the order of ids is the order of time.
        let begun = self.now();
        records.push(Record { id: id as u64, begun, ended: None, asked, told: Told::Unknown });
        drop(records);
        Op { history: self.clone(), id, told: Told::Unknown }
    }

    /// A copy of every op so far, by id.
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

/// Something that was asked and not answered yet. Dropped without an [`end`](Self::end), as by a task that is cancelled
/// or panics, its outcome is unknown.
#[derive(Debug)]
#[must_use = "dropped at once, its outcome is unknown at once"]
pub struct Op {
    history: History,
    id: usize,
    told: Told,
}

impl Op {
    /// Notes the answer; call it as soon as the answer is there.
    pub fn end(mut self, told: Told) {
        self.told = told;
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        let now = self.history.now();
        if let Some(record) = self.history.lock().get_mut(self.id) {
            record.ended = Some(now);
            record.told = self.told;
        }
    }
}
