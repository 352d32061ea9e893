//! The queue store behind a guard.

use std::sync::Arc;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    Bounds, Called, Checkpoint, ClaimError, GiveBackError, JoinError, Joined, Line, Place,
    QueueStore, Session, Shown, Snapshot, Standing, UserId,
};

use crate::breaking::Breaking;
use crate::guard::{Guard, Guardable, Guarded};
use crate::stack::Stack;

/// Client calls are guarded. A node's own calls are not: one step ten times a second is no relevant
/// load, it has its own timeout, and it detects that the store is back.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Guard> QueueStore for Guarded<dyn QueueStore, G> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError> {
        self.guard.ask(|| self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(&self, floor: Line, shown: Option<Shown>) -> Result<Called, PortError> {
        self.inner.call_next(floor, shown).await
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        self.inner.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.inner.settle(generation, checkpoint).await
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

/// The breakers of a queue: one for joins and one for calls about existing places, so that failures
/// of one do not block the other. Either may be missing.
#[derive(Clone)]
pub struct QueueBreakers {
    /// In front of joins.
    pub joining: Option<Arc<Breaking>>,
    /// In front of `standing`, `claim` and `give_back`.
    pub places: Option<Arc<Breaking>>,
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
impl<G: Guard> QueueStore for BehindBreakers<G> {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError> {
        self.joining.ask(|| self.inner.join(user, presented, bounds)).await
    }

    async fn call_next(&self, floor: Line, shown: Option<Shown>) -> Result<Called, PortError> {
        let answer = self.inner.call_next(floor, shown).await;
        self.breakers.note_heartbeat(answer.as_ref().err());
        answer
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        self.inner.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.inner.settle(generation, checkpoint).await
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        self.places.ask(|| self.inner.standing(place)).await
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        self.places.ask(|| self.inner.claim(place)).await
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        self.places.ask(|| self.inner.give_back(place)).await
    }
}

impl Stack<dyn QueueStore> {
    /// Adds the breakers of a queue as the next outer layer.
    #[must_use]
    pub fn with_breakers(self, breakers: QueueBreakers) -> Self {
        let QueueBreakers { joining, places } = breakers.clone();
        Self::on(Arc::new(BehindBreakers { inner: self.port(), joining, places, breakers }))
    }
}
