//! One connection to the database.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use tokio::task::JoinHandle;

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
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection of the pool.
pub(crate) struct Session {
    connection: AsyncPgConnection,
    driver: Driver,
    /// A question was begun and has not come to its end.
    is_busy: bool,
}

impl Session {
    pub(crate) fn new(connection: AsyncPgConnection, driver: Driver) -> Self {
        Self { connection, driver, is_busy: false }
    }

    /// Whether another question can be asked on it: the server has not gone, and nothing is left half done. Not so
    /// after a question was dropped half way, whether by a time limit or a panic.
    pub(crate) fn is_good(&self) -> bool {
        !self.is_busy && !self.driver.has_ended()
    }

    /// Asks. Dropping the future makes the session one that is not good.
    pub(crate) async fn ask<T, Q>(&mut self, question: Q) -> QueryResult<T>
    where
        Q: AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    {
        self.is_busy = true;
        let answer = question(&mut self.connection).await;
        self.is_busy = false;
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_all_three_limits_of_the_server_in_milliseconds() {
        let [statement, lock, idle_in_transaction] = [1_000, 300, 5_000].map(Duration::from_millis);
        let limits = SessionLimits { connect: Duration::ZERO, statement, lock, idle_in_transaction };
        assert_eq!(
            limits.options(),
            "-c statement_timeout=1000 -c lock_timeout=300 -c idle_in_transaction_session_timeout=5000"
        );
    }
}
