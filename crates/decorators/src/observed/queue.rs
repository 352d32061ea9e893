//! The queue store, observed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Bounds, Called, Checkpoint, ClaimError, GiveBackError, JoinError, Joined, Line, Place,
    QueueStore, Session, Shown, Snapshot, Standing, UserId,
};

use super::{Observable, Observed, Observer};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl QueueStore for Observed<dyn QueueStore> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError> {
        self.watch("join", self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(&self, floor: Line, shown: Option<Shown>) -> Result<Called, PortError> {
        self.watch("call_next", self.inner.call_next(floor, shown)).await
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        self.watch("snapshot", self.inner.snapshot(floor)).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.watch("settle", self.inner.settle(generation, checkpoint)).await
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        self.watch("standing", self.inner.standing(place)).await
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        self.watch("claim", self.inner.claim(place)).await
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        self.watch("give_back", self.inner.give_back(place)).await
    }
}

impl Observable for dyn QueueStore {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Observed { inner: self, observer })
    }
}
