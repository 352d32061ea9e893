//! Where lines are written: by a thread of its own, so that a terminal or a pipe that stands still holds up nobody.

use std::io::Write;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait to be written; the next one is dropped.
const WAITING: usize = 16_384;

/// Writes lines.
pub(crate) type Writer = NonBlocking;

/// Counts lines that were dropped.
pub(crate) struct Lines(ErrorCounter);

impl Lines {
    /// A writer, and what writes out what waits when it is dropped.
    pub(crate) fn to(out: impl Write + Send + 'static) -> (Writer, Self, WorkerGuard) {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING);
        let (writer, guard) = builder.thread_name("log").finish(out);
        let lines = Self(writer.error_counter());
        (writer, lines, guard)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.0.dropped_lines()
    }
}
