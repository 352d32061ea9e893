//! A shared store that can be unavailable, slow or corrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use adapter_memory::MemoryCacheStore;
use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{
    CacheKey, CacheStore, CopyVersion, Kept, LeaseId, Lookup, LookupRequest, PutOutcome,
};
use domain::{Clock, Dependency, PortError, PortErrorKind, Timestamp};
use tokio::time::Instant;

use crate::support::millis;

/// Exposes the test's time as a clock.
struct TestTime(Instant);

impl Clock for TestTime {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.0.elapsed()
    }
}

/// A store that can be made unavailable or corrupt.
pub(crate) struct Store {
    pub(crate) kept: MemoryCacheStore,
    is_away: AtomicBool,
    pub(crate) lies: AtomicBool,
    pub(crate) looks: AtomicU32,
    /// How long a put takes, in milliseconds.
    pub(crate) put_takes: AtomicU32,
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        let clock = Arc::new(TestTime(Instant::now()));
        let kept = MemoryCacheStore::new(1_000_000, clock);
        Arc::new(Self {
            kept,
            is_away: AtomicBool::new(false),
            lies: AtomicBool::new(false),
            looks: AtomicU32::new(0),
            put_takes: AtomicU32::new(0),
        })
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<(), PortError> {
        let away = || PortError::new(PortErrorKind::Unavailable, Dependency::CACHE);
        if self.is_away.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl CacheStore for Store {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.answer()?;
        let mut lookup = self.kept.lookup(key, want).await?;
        if self.lies.load(Ordering::SeqCst) {
            lookup.kept =
                Ok(Some(Kept { payload: Bytes::from_static(b"+12345"), age: Duration::ZERO }));
        }
        Ok(lookup)
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        self.answer()?;
        tokio::time::sleep(millis(self.put_takes.load(Ordering::SeqCst).into())).await;
        self.kept.put(key, payload, stamp, keep_for, lease).await
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.answer()?;
        self.kept.release(key, lease).await
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        self.answer()?;
        self.kept.invalidate(kind).await
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        self.answer()?;
        self.kept.invalidated(kind).await
    }
}
