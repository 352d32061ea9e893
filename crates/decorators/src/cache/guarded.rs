//! The second level behind a guard.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

use super::store::{CacheKey, CacheStore, LeaseId, Look, LookFor, Put, Stamp};
use crate::guard::{Guard, Guardable, Guarded};

/// Calls made by loads are guarded. Invalidation calls are not: one call per kind four times a
/// second is no relevant load, the adapter limits it, and a node must not miss invalidations
/// because a breaker has not yet noticed that the store is back.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Guard> CacheStore for Guarded<dyn CacheStore, G> {
    async fn look(&self, key: &CacheKey, want: &LookFor) -> Result<Look, PortError> {
        self.guard.ask(|| self.inner.look(key, want)).await
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: Stamp,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<Put, PortError> {
        self.guard.ask(|| self.inner.put(key, payload.clone(), stamp, keep_for, lease)).await
    }

    async fn give_back(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.guard.ask(|| self.inner.give_back(key, lease)).await
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        self.inner.invalidate(kind).await
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        self.inner.invalidated(kind).await
    }
}

impl Guardable for dyn CacheStore {
    fn behind<G: Guard>(self: Arc<Self>, guard: G) -> Arc<Self> {
        Arc::new(Guarded { inner: self, guard })
    }
}
