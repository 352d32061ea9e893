//! One connection to the database.

use diesel::QueryResult;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::Failed;

pub(crate) use crate::limits::SessionLimits;

/// A query against the database. It may run twice, so it must be idempotent.
pub(crate) trait Query<T>:
    for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static
{
}

impl<T, Q> Query<T> for Q where
    Q: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static
{
}

/// The task that drives a connection's I/O. Dropping this ends the task and closes the socket.
pub(crate) struct ConnectionTask(JoinHandle<()>);

impl ConnectionTask {
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

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.end();
    }
}

/// A connection of the pool.
pub(crate) struct Session {
    connection: Connection,
    driver: ConnectionTask,
    /// When opening it began.
    made: Instant,
    is_closed: bool,
}

impl Session {
    pub(crate) fn new(connection: Connection, driver: ConnectionTask, made: Instant) -> Self {
        Self { connection, driver, made, is_closed: false }
    }

    /// When opening it began.
    pub(crate) fn made(&self) -> Instant {
        self.made
    }

    /// Whether another query can run on it: the server is still connected. The pool knows
    /// when a query was dropped midway.
    pub(crate) fn is_good(&self) -> bool {
        !self.is_closed && !self.driver.has_ended()
    }

    /// Closes the connection; the server rolls back unfinished work.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.driver.end();
    }

    /// Runs a query.
    pub(crate) async fn run<T>(&mut self, query: &impl Query<T>) -> Result<T, Failed> {
        // Discards an error that an earlier query did not report.
        drop(self.connection.take_failure());
        let answer = query(&mut self.connection).await;
        answer.map_err(|error| Failed::new(error, self.connection.take_failure()))
    }
}
