//! The line's store behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Bounds, Called, ClaimError, GiveBackError, JoinError, Joined, Line, Place, QueueStore, Session, Snapshot,
    Standing, UserId,
};

use crate::guard::{Guard, Guardable, Guarded};

/// What people ask is guarded. The heartbeat of the line is not: one step a node ten times a second is no load, it is bounded
/// by itself, and it is how a node finds out that the store is back.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Guard> QueueStore for Guarded<dyn QueueStore, G> {
    async fn join(&self, user: UserId, bounds: Bounds) -> Result<Joined, JoinError> {
        self.guard.ask(|| self.inner.join(user, bounds)).await
    }

    async fn call_next(&self, floor: Line) -> Result<Called, PortError> {
        self.inner.call_next(floor).await
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        self.guard.ask(|| self.inner.snapshot(floor)).await
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        self.guard.ask(|| self.inner.standing(place)).await
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        self.guard.ask(|| self.inner.claim(place)).await
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        self.guard.ask(|| self.inner.give_back(place)).await
    }
}

impl Guardable for dyn QueueStore {
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self> {
        Arc::new(Guarded { inner: self, guard })
    }
}
