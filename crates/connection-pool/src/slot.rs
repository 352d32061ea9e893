//! The connection of a call.

use std::ops::{Deref, DerefMut};

use bb8::{ManageConnection, PooledConnection};
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};

use crate::error::ConnectError;
use crate::manager::FailureTrackingManager;

/// A connection in its slot of the pool. Dereferences to the connection.
pub struct Slot<'p, M: ManageConnection<Error: Clone + Sync>> {
    // Dropped in this order. A waiting call gets the permit once the connection has returned or is
    // closed, and a new call gets the place once a permit is free.
    connection: PooledConnection<'p, FailureTrackingManager<M>>,
    _permit: SemaphorePermit<'p>,
    _place: OwnedSemaphorePermit,
    manager: &'p FailureTrackingManager<M>,
}

impl<'p, M: ManageConnection<Error: Clone + Sync>> Slot<'p, M> {
    pub(crate) fn new(
        connection: PooledConnection<'p, FailureTrackingManager<M>>,
        permit: SemaphorePermit<'p>,
        place: OwnedSemaphorePermit,
        manager: &'p FailureTrackingManager<M>,
    ) -> Self {
        Self { connection, _permit: permit, _place: place, manager }
    }

    /// The manager of the pool's connections.
    #[must_use]
    pub fn manager(&self) -> &'p M {
        self.manager.manager()
    }

    /// Replaces the connection by a new one. The old one stays until the new one is open, so the
    /// server sees both for a moment, one more than the size of the pool: close the old one first
    /// if it is of no more use.
    ///
    /// # Errors
    /// [`ConnectError`], if connecting fails, or failed so recently that no attempt is made. The
    /// old connection then stays in its slot.
    pub async fn reconnect(&mut self) -> Result<(), ConnectError<M::Error>> {
        let mut new = self.manager.connect().await?;
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
