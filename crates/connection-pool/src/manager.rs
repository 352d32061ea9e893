//! The adapter's manager of connections, and what the pool adds to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bb8::ManageConnection;
use tokio::sync::watch;

use crate::attempts::{Attempts, Failure};
use crate::error::ConnectError;

/// An adapter's manager. Tracks failures to connect, and closes a connection whose call did not
/// finish.
pub(crate) struct FailureTrackingManager<M: ManageConnection>(Arc<Inner<M>>);

struct Inner<M: ManageConnection> {
    manager: M,
    attempts: Attempts<M::Error>,
}

/// A connection of the pool.
pub(crate) struct Connection<C> {
    pub(crate) inner: C,
    /// A call or a check started and has not finished: its answer may be half read.
    pub(crate) is_midway: bool,
}

impl<M: ManageConnection<Error: Clone>> FailureTrackingManager<M> {
    /// Ends attempts to connect that take longer than this.
    pub(crate) fn new(manager: M, connect: Duration) -> Self {
        Self(Arc::new(Inner { manager, attempts: Attempts::new(connect) }))
    }

    pub(crate) fn manager(&self) -> &M {
        &self.0.manager
    }

    /// The failure of the last attempt to connect. The sender lives as long as this manager.
    pub(crate) fn failure(&self) -> watch::Receiver<Option<Failure<M::Error>>> {
        self.0.attempts.failure()
    }
}

impl<M: ManageConnection> Clone for FailureTrackingManager<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> ManageConnection for FailureTrackingManager<M>
where
    M: ManageConnection<Error: Clone + Sync>,
{
    type Connection = Connection<M::Connection>;
    type Error = ConnectError<M::Error>;

    /// bb8 counts an attempt until it ends, so it must end, and without a panic.
    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let Inner { manager, attempts } = &*self.0;
        let inner = attempts.run(async { manager.connect().await }).await?;
        Ok(Connection { inner, is_midway: false })
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        connection.is_midway = true;
        self.0.manager.is_valid(&mut connection.inner).await.map_err(ConnectError::Failed)?;
        connection.is_midway = false;
        Ok(())
    }

    /// bb8 calls this in a destructor and would lose count of a connection whose check panics.
    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        connection.is_midway
            || catch_unwind(AssertUnwindSafe(|| self.0.manager.has_broken(&mut connection.inner)))
                .unwrap_or(true)
    }
}
