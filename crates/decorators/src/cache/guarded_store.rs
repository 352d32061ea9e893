//! The second level behind a guard.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

use super::store::{CacheKey, CacheStore, CopyVersion, LeaseId, Lookup, LookupRequest, PutOutcome};
use crate::layer::{Layer, Layerable, Layered};

/// Calls made by loads pass through the layer. Invalidation calls are not: one call per kind four times a
/// second is no relevant load, the adapter limits it, and a node must not miss invalidations
/// because a breaker has not yet noticed that the store is back.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<G: Layer> CacheStore for Layered<dyn CacheStore, G> {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        self.layer.call(|| self.inner.lookup(key, want)).await
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        self.layer.call(|| self.inner.put(key, payload.clone(), stamp, keep_for, lease)).await
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.layer.call(|| self.inner.release(key, lease)).await
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        self.inner.invalidate(kind).await
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        self.inner.invalidated(kind).await
    }
}

impl Layerable for dyn CacheStore {
    fn wrap<G: Layer>(self: Arc<Self>, layer: G) -> Arc<Self> {
        Arc::new(Layered { inner: self, layer })
    }
}
