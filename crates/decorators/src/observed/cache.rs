//! The second level of the cache, observed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

use super::{Observable, Observed, Observer};
use crate::cache::{CacheKey, CacheStore, LeaseId, Look, LookFor, Put, Stamp};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl CacheStore for Observed<dyn CacheStore> {
    async fn look(&self, key: &CacheKey, want: &LookFor) -> Result<Look, PortError> {
        self.watch("cache_look", self.inner.look(key, want)).await
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: Stamp,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<Put, PortError> {
        self.watch("cache_put", self.inner.put(key, payload, stamp, keep_for, lease)).await
    }

    async fn give_back(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.watch("cache_give_back", self.inner.give_back(key, lease)).await
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        self.watch("cache_invalidate", self.inner.invalidate(kind)).await
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        self.watch("cache_invalidated", self.inner.invalidated(kind)).await
    }
}

impl Observable for dyn CacheStore {
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Observed { inner: self, observer })
    }
}
