//! The queue store behind a layer.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Called, Checkpoint, ClaimError, JoinError, Joined, NumberBounds, PlaceStatus, QueueCounters,
    QueueStore, ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId,
};

use crate::breaker_layer::CircuitBreakerLayer;
use crate::layer::{Layer, Layerable, Layered};
use crate::layer_stack::LayerStack;

/// Client calls pass through the layer. A node's own calls are not: one step ten times a second is no relevant
/// load, it has its own timeout, and it detects that the store is back.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Layer> QueueStore for Layered<dyn QueueStore, G> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.layer.call(|| self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        self.inner.call_next(floor, shown).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.inner.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.inner.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        self.layer.call(|| self.inner.place_status(place)).await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.layer.call(|| self.inner.claim(place)).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.layer.call(|| self.inner.release(place)).await
    }
}

impl Layerable for dyn QueueStore {
    fn wrap<G: Layer>(self: Arc<Self>, layer: G) -> Arc<Self> {
        Arc::new(Layered { inner: self, layer })
    }
}

/// The breakers of a queue: one for joins and one for calls about existing places, so that failures
/// of one do not block the other. Either may be missing.
#[derive(Clone)]
pub struct QueueBreakers {
    /// In front of joins.
    pub joining: Option<Arc<CircuitBreakerLayer>>,
    /// In front of `place_status`, `claim` and `release`.
    pub places: Option<Arc<CircuitBreakerLayer>>,
}

impl QueueBreakers {
    fn note_heartbeat(&self, answer: Option<&PortError>) {
        for breaker in [&self.joining, &self.places].into_iter().flatten() {
            breaker.note_heartbeat(answer.map(PortError::kind));
        }
    }
}

/// A queue store behind its breakers. The node's own `call_next` bypasses them and reports its
/// outcome to them.
struct BehindBreakers<G> {
    inner: Arc<dyn QueueStore>,
    joining: G,
    places: G,
    breakers: QueueBreakers,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Layer> QueueStore for BehindBreakers<G> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.joining.call(|| self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        let answer = self.inner.call_next(floor, shown).await;
        self.breakers.note_heartbeat(answer.as_ref().err());
        answer
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.inner.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.inner.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        self.places.call(|| self.inner.place_status(place)).await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.places.call(|| self.inner.claim(place)).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.places.call(|| self.inner.release(place)).await
    }
}

impl LayerStack<dyn QueueStore> {
    /// Adds the breakers of a queue as the next outer layer.
    #[must_use]
    pub fn with_breakers(self, breakers: QueueBreakers) -> Self {
        let QueueBreakers { joining, places } = breakers.clone();
        Self::on(Arc::new(BehindBreakers { inner: self.port(), joining, places, breakers }))
    }
}
