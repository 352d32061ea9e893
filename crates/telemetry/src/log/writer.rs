//! Writes log lines on a separate thread, so that a blocked terminal or pipe delays no request.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Maximum number of lines waiting to be written; further ones are dropped.
const WAITING: usize = 16_384;

/// Writes lines.
pub(crate) type Writer = NonBlocking;

/// Counts dropped lines.
pub(crate) struct Lines(ErrorCounter);

/// Flushes the log at exit. Clones share the writer.
#[derive(Clone)]
pub struct FlushGuard(Arc<Mutex<Option<WorkerGuard>>>);

impl FlushGuard {
    /// Writes out the waiting lines, which takes about a second at most, however slow the reader
    /// is. Later lines are dropped. Call it before the process ends; a second call does nothing.
    pub fn write_out(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Lines {
    /// Returns a writer, its drop counter, and the handle that flushes it.
    pub(crate) fn to(out: impl Write + Send + 'static) -> (Writer, Self, FlushGuard) {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING);
        let (writer, guard) = builder.thread_name("log").finish(out);
        let lines = Self(writer.error_counter());
        (writer, lines, FlushGuard(Arc::new(Mutex::new(Some(guard)))))
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.dropped_lines()
    }
}
