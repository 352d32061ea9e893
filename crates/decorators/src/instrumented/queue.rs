//! The queue store, observed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Called, Checkpoint, ClaimError, JoinError, Joined, NumberBounds, PlaceStatus, QueueCounters,
    QueueStore, ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId,
};

use super::{Instrumented, Observable, Observer};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl QueueStore for Instrumented<dyn QueueStore> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.watch("join", self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        self.watch("call_next", self.inner.call_next(floor, shown)).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.watch("snapshot", self.inner.snapshot(floor)).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.watch("settle", self.inner.settle(generation, checkpoint)).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        self.watch("standing", self.inner.place_status(place)).await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.watch("claim", self.inner.claim(place)).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.watch("give_back", self.inner.release(place)).await
    }
}

impl Observable for dyn QueueStore {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Instrumented { inner: self, observer })
    }
}
