//! The second level of the cache, observed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

use super::{Instrumented, Observable, Observer};
use crate::cache::{CacheKey, CacheStore, CopyVersion, LeaseId, Lookup, LookupRequest, PutOutcome};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl CacheStore for Instrumented<dyn CacheStore> {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        self.watch("cache_look", self.inner.lookup(key, want)).await
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        self.watch("cache_put", self.inner.put(key, payload, stamp, keep_for, lease)).await
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.watch("cache_give_back", self.inner.release(key, lease)).await
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
        Arc::new(Instrumented { inner: self, observer })
    }
}
