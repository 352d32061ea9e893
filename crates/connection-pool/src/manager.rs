//! The adapter's manager of connections, watched.

use std::sync::Arc;

use bb8::ManageConnection;
use tokio::sync::watch;
use tokio::time::Instant;

/// An adapter's manager. Remembers the last failure to connect, and closes a connection whose call
/// did not finish.
pub(crate) struct Watched<M: ManageConnection> {
    manager: Arc<M>,
    /// The error of the last attempt to connect; `None` if it succeeded.
    failed: watch::Sender<Option<Failure<M::Error>>>,
}

/// A failed attempt to connect.
#[derive(Clone)]
pub(crate) struct Failure<E> {
    pub(crate) at: Instant,
    pub(crate) why: E,
}

/// A connection of the pool.
pub(crate) struct Connection<C> {
    pub(crate) inner: C,
    /// A call started and has not finished: its answer may be half read.
    pub(crate) is_midway: bool,
}

impl<M: ManageConnection> Watched<M> {
    pub(crate) fn new(manager: M) -> Self {
        Self { manager: Arc::new(manager), failed: watch::Sender::new(None) }
    }

    pub(crate) fn manager(&self) -> &M {
        &self.manager
    }

    /// The failures to connect. They never end while this manager lives.
    pub(crate) fn failures(&self) -> watch::Receiver<Option<Failure<M::Error>>> {
        self.failed.subscribe()
    }
}

impl<M: ManageConnection> Clone for Watched<M> {
    fn clone(&self) -> Self {
        Self { manager: Arc::clone(&self.manager), failed: self.failed.clone() }
    }
}

impl<M> ManageConnection for Watched<M>
where
    M: ManageConnection<Error: Clone + Sync>,
{
    type Connection = Connection<M::Connection>;
    type Error = M::Error;

    async fn connect(&self) -> Result<Self::Connection, M::Error> {
        let connected = self.manager.connect().await;
        let failure = |why: &M::Error| Failure { at: Instant::now(), why: why.clone() };
        self.failed.send_replace(connected.as_ref().err().map(failure));
        connected.map(|inner| Connection { inner, is_midway: false })
    }

    async fn is_valid(&self, connection: &mut Self::Connection) -> Result<(), M::Error> {
        self.manager.is_valid(&mut connection.inner).await
    }

    fn has_broken(&self, connection: &mut Self::Connection) -> bool {
        connection.is_midway || self.manager.has_broken(&mut connection.inner)
    }
}
