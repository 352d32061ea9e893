//! The connection of a call.

use std::ops::{Deref, DerefMut};

use bb8::{ManageConnection, PooledConnection};
use tokio::sync::SemaphorePermit;

use crate::manager::Watched;

/// A connection in its slot of the pool. Dereferences to the connection.
pub struct Slot<'p, M: ManageConnection<Error: Clone + Sync>> {
    // Dropped in this order: the connection returns to the pool before the permit is released.
    connection: PooledConnection<'p, Watched<M>>,
    _permit: SemaphorePermit<'p>,
    watched: &'p Watched<M>,
}

impl<'p, M: ManageConnection<Error: Clone + Sync>> Slot<'p, M> {
    pub(crate) fn new(
        connection: PooledConnection<'p, Watched<M>>,
        permit: SemaphorePermit<'p>,
        watched: &'p Watched<M>,
    ) -> Self {
        Self { connection, _permit: permit, watched }
    }

    /// The manager of the pool's connections.
    #[must_use]
    pub fn manager(&self) -> &'p M {
        self.watched.manager()
    }

    /// Replaces the connection by a new one.
    ///
    /// # Errors
    /// The manager's, if connecting fails. The old connection then stays in its slot.
    pub async fn reconnect(&mut self) -> Result<(), M::Error> {
        let mut new = self.watched.connect().await?;
        new.is_midway = self.connection.is_midway;
        *self.connection = new;
        Ok(())
    }

    /// Marks the connection as in the middle of a call, or as done with it.
    pub(crate) fn set_midway(&mut self, is_midway: bool) {
        self.connection.is_midway = is_midway;
    }
}

impl<M: ManageConnection<Error: Clone + Sync>> Deref for Slot<'_, M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        &self.connection.inner
    }
}

impl<M: ManageConnection<Error: Clone + Sync>> DerefMut for Slot<'_, M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        &mut self.connection.inner
    }
}
