//! One connection to the database.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::Failed;
use crate::pool::Question;

/// What the server ends by itself, so that no session of ours holds up anybody for long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionLimits {
    /// Setting up a connection, name resolution and password included.
    pub connect: Duration,
    /// A statement; the server ends it. Zero is no limit.
    pub statement: Duration,
    /// Waiting for a lock; the server ends the statement that waits. Zero is no limit.
    pub lock: Duration,
    /// A transaction in which nothing happens; the server ends the connection. Zero is no limit.
    pub idle_in_transaction: Duration,
}

/// For the way to the server and back, beyond the time the server may take.
const WIRE: Duration = Duration::from_millis(250);

impl SessionLimits {
    /// How long an answer is waited for on a connection: what the server may take, and the way there and back. Without
    /// a limit for statements there is none here.
    #[must_use]
    pub fn answer(&self) -> Duration {
        if self.statement.is_zero() { Duration::MAX } else { self.statement.saturating_add(WIRE) }
    }

    /// The limits as options of the connection: it has them from its first moment on.
    pub(crate) fn options(&self) -> String {
        format!(
            "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={}",
            self.statement.as_millis(),
            self.lock.as_millis(),
            self.idle_in_transaction.as_millis(),
        )
    }
}

/// The task that moves a connection's bytes; ended, and the socket closed, when this is dropped.
pub(crate) struct Driver(JoinHandle<()>);

impl Driver {
    /// Must be called inside a runtime.
    pub(crate) fn start(
        connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    ) -> Self {
        Self(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to Postgres ended");
            }
        }))
    }

    fn has_ended(&self) -> bool {
        self.0.is_finished()
    }

    fn end(&self) {
        self.0.abort();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
    }
}

/// A connection of the pool.
pub(crate) struct Session {
    connection: Connection,
    driver: Driver,
    /// When setting it up began.
    made: Instant,
    /// A question was begun and has not come to its end.
    is_busy: bool,
    is_closed: bool,
}

impl Session {
    pub(crate) fn new(connection: Connection, driver: Driver, made: Instant) -> Self {
        Self { connection, driver, made, is_busy: false, is_closed: false }
    }

    /// When setting it up began.
    pub(crate) fn made(&self) -> Instant {
        self.made
    }

    /// Whether another question can be asked on it: the server has not gone, and nothing is left half done. Not so
    /// after a question was dropped half way, whether by a time limit or a panic.
    pub(crate) fn is_good(&self) -> bool {
        !self.is_busy && !self.is_closed && !self.driver.has_ended()
    }

    /// Closes it; the server rolls back what is unfinished.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.driver.end();
    }

    /// Asks. Dropping the future makes the session one that is not good.
    pub(crate) async fn ask<T>(&mut self, question: &impl Question<T>) -> Result<T, Failed> {
        self.is_busy = true;
        // One that an earlier question did not pass on.
        drop(self.connection.take_failure());
        let answer = question(&mut self.connection).await;
        self.is_busy = false;
        answer.map_err(|error| Failed::new(error, self.connection.take_failure()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_all_three_limits_of_the_server_in_milliseconds() {
        let [statement, lock, idle_in_transaction] = [1_000, 300, 5_000].map(Duration::from_millis);
        let limits =
            SessionLimits { connect: Duration::ZERO, statement, lock, idle_in_transaction };
        assert_eq!(
            limits.options(),
            "-c statement_timeout=1000 -c lock_timeout=300 -c idle_in_transaction_session_timeout=5000"
        );
    }
}
