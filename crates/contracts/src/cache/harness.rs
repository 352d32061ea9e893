//! The fixture of a store under test, and helpers for the rules.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{
    CacheKey, CacheStore, CopyVersion, Kept, Lease, LeaseId, Lookup, LookupRequest, PutOutcome,
    Unusable,
};

use crate::{RuleResult, Violation, ensure, ensure_eq};

/// Opens cache stores.
#[async_trait]
pub trait CacheFixture: Send + Sync {
    /// Opens a new, empty store.
    async fn open(&self) -> Box<dyn CacheHarness>;
}

/// A store, used through one or more handles.
#[async_trait]
pub trait CacheHarness: Send + Sync {
    /// At least one handle to the same store; one per node if the implementation has nodes.
    fn handles(&self) -> Vec<Arc<dyn CacheStore>>;

    /// Advances the store's time by at least this much, and little more. A store may have to wait
    /// in real time.
    async fn advance(&self, by: Duration);

    /// Replaces the value of this key with one that is unusable for this reason.
    async fn plant(&self, key: &CacheKey, what: Unusable);

    /// The longest payload the store accepts, in bytes; at most a few million.
    fn longest(&self) -> usize;
}

/// A lifetime that ends during a test.
pub(super) const SHORT: Duration = Duration::from_millis(150);
/// A pause after which [`SHORT`] is over and [`LONG_TTL`] is not.
pub(super) const AFTER: Duration = Duration::from_millis(200);
/// A lifetime that does not end during a test, even on a busy machine.
pub(super) const LONG_TTL: Duration = Duration::from_secs(600);

/// A store under test.
pub(super) struct Cache {
    pub(super) handles: Vec<Arc<dyn CacheStore>>,
    pub(super) world: Box<dyn CacheHarness>,
}

impl Cache {
    pub(super) async fn open(fixture: &dyn CacheFixture) -> Result<Self, Violation> {
        let world = fixture.open().await;
        let handles = world.handles();
        ensure(!handles.is_empty(), || "a world without a handle".to_owned())?;
        Ok(Self { handles, world })
    }

    /// A handle, chosen so that work is spread over all of them.
    pub(super) fn handle(&self, n: usize) -> Arc<dyn CacheStore> {
        Arc::clone(&self.handles[n % self.handles.len()])
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.world.advance(by).await;
    }

    /// Looks without requesting a lease.
    pub(super) async fn lookup(&self, key: &CacheKey) -> Result<Lookup, Violation> {
        Ok(self.handle(0).lookup(key, &LookupRequest { fresh_for: LONG_TTL, lease: None }).await?)
    }

    /// The stamp that a look returns now.
    pub(super) async fn stamp(&self, key: &CacheKey) -> Result<CopyVersion, Violation> {
        Ok(self.lookup(key).await?.at)
    }

    /// Puts without a lease, and checks that the copy is stored.
    pub(super) async fn keep(
        &self,
        key: &CacheKey,
        payload: &[u8],
        stamp: CopyVersion,
        keep: Duration,
    ) -> RuleResult {
        let put = self.put(key, payload, stamp, keep).await?;
        ensure_eq(put, PutOutcome::Kept, "the result of a put")
    }

    /// Puts without a lease.
    pub(super) async fn put(
        &self,
        key: &CacheKey,
        payload: &[u8],
        stamp: CopyVersion,
        keep: Duration,
    ) -> Result<PutOutcome, Violation> {
        let payload = Bytes::copy_from_slice(payload);
        Ok(self.handle(1).put(key, payload, stamp, keep, NOBODY).await?)
    }

    /// Requests the lease of a key for `lasts`; no copy counts as fresh.
    pub(super) async fn leased(
        &self,
        key: &CacheKey,
        id: LeaseId,
        lasts: Duration,
    ) -> Result<bool, Violation> {
        self.leased_unless_younger(Duration::ZERO, key, id, lasts).await
    }

    /// Requests the lease of a key for `lasts`, unless a copy is younger than `fresh_for`.
    pub(super) async fn leased_unless_younger(
        &self,
        fresh_for: Duration,
        key: &CacheKey,
        id: LeaseId,
        lasts: Duration,
    ) -> Result<bool, Violation> {
        let want = LookupRequest { fresh_for, lease: Some(Lease { id, lasts }) };
        let handle = self.handle(usize::try_from(id.0).unwrap_or(0));
        Ok(handle.lookup(key, &want).await?.leased)
    }

    /// Checks that every handle finds this payload, or none.
    pub(super) async fn ensure_found(
        &self,
        key: &CacheKey,
        payload: Option<&[u8]>,
        what: &str,
    ) -> RuleResult {
        for handle in &self.handles {
            let found = usable(
                handle.lookup(key, &LookupRequest { fresh_for: LONG_TTL, lease: None }).await?,
            )?;
            let found = found.map(|kept| kept.payload);
            ensure(found.as_deref() == payload, || {
                format!("{what} ({key}): {}", describe(found.as_deref()))
            })?;
        }
        Ok(())
    }
}

/// The id for puts without a lease.
pub(super) const NOBODY: LeaseId = LeaseId(u128::MAX);

/// A key of the kind that most rules use.
pub(super) fn key(name: &str) -> CacheKey {
    CacheKey { kind: "concerts", name: name.to_owned() }
}

fn usable(lookup: Lookup) -> Result<Option<Kept>, Violation> {
    lookup.kept.map_err(|why| Violation::new(format!("a copy is reported as unusable: {why:?}")))
}

/// Shows the start of a payload, which can be long.
fn describe(found: Option<&[u8]>) -> String {
    match found {
        Some(found) => {
            format!("found {} bytes that begin {:?}", found.len(), &found[..found.len().min(20)])
        }
        None => "found nothing".to_owned(),
    }
}
