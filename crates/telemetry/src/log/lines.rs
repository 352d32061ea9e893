//! Where lines are written: by a thread of its own, so that a terminal or a pipe that stands still holds up nobody.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait to be written; the next one is dropped.
const WAITING: usize = 16_384;

/// Writes lines.
pub(crate) type Writer = NonBlocking;

/// Counts lines that were dropped.
pub(crate) struct Lines(ErrorCounter);

/// The end of a log. Clones are the same.
#[derive(Clone)]
pub struct LastLines(Arc<Mutex<Option<WorkerGuard>>>);

impl LastLines {
    /// Writes out what waits, which takes a second or so at most, however slowly it is read; lines logged from now on are
    /// dropped. For somebody about to end the process; the second one to call it does nothing.
    pub fn write_out(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Lines {
    /// A writer, its counts, and its end.
    pub(crate) fn to(out: impl Write + Send + 'static) -> (Writer, Self, LastLines) {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING);
        let (writer, guard) = builder.thread_name("log").finish(out);
        let lines = Self(writer.error_counter());
        (writer, lines, LastLines(Arc::new(Mutex::new(Some(guard)))))
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.dropped_lines()
    }
}
