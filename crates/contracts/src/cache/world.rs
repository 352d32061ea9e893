//! What a rule needs around a store, and the verbs it speaks in.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{
    CacheKey, CacheStore, Kept, Lease, LeaseId, Look, LookFor, Put, Stamp, Unusable,
};

use crate::{Verdict, Violation, ensure, ensure_eq};

/// Opens stores of copies.
#[async_trait]
pub trait CacheFixture: Send + Sync {
    /// A fresh, empty memory of its own.
    async fn open(&self) -> Box<dyn CacheWorld>;
}

/// A memory, seen through one or more handles.
#[async_trait]
pub trait CacheWorld: Send + Sync {
    /// The same memory through at least one handle; more where the implementation has nodes.
    fn handles(&self) -> Vec<Arc<dyn CacheStore>>;

    /// Lets the store's time pass; at least so much, and little more. A store may need this time for real.
    async fn advance(&self, by: Duration);

    /// Leaves something under this key that cannot be used for this reason, in place of what is there.
    async fn plant(&self, key: &CacheKey, what: Unusable);

    /// The longest payload the store accepts, in bytes; at most a few million.
    fn longest(&self) -> usize;
}

/// What is to end in a test lasts this long.
pub(super) const SHORT: Duration = Duration::from_millis(150);
/// After this it has ended, and nothing else has.
pub(super) const AFTER: Duration = Duration::from_millis(200);
/// What is not to end in a test lasts this long, on the busiest machine.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// A memory under test.
pub(super) struct Cache {
    pub(super) handles: Vec<Arc<dyn CacheStore>>,
    pub(super) world: Box<dyn CacheWorld>,
}

impl Cache {
    pub(super) async fn open(fixture: &dyn CacheFixture) -> Result<Self, Violation> {
        let world = fixture.open().await;
        let handles = world.handles();
        ensure(!handles.is_empty(), || "a world has at least one handle".to_owned())?;
        Ok(Self { handles, world })
    }

    /// Spreads work over the handles.
    pub(super) fn handle(&self, n: usize) -> Arc<dyn CacheStore> {
        Arc::clone(&self.handles[n % self.handles.len()])
    }

    pub(super) async fn advance(&self, by: Duration) {
        self.world.advance(by).await;
    }

    /// Looks without asking for a lease.
    pub(super) async fn look(&self, key: &CacheKey) -> Result<Look, Violation> {
        Ok(self.handle(0).look(key, &LookFor { fresh_for: LONG, lease: None }).await?)
    }

    /// The stamp that a look tells now.
    pub(super) async fn stamp(&self, key: &CacheKey) -> Result<Stamp, Violation> {
        Ok(self.look(key).await?.at)
    }

    /// Puts without a lease, and is to be kept.
    pub(super) async fn keep(
        &self,
        key: &CacheKey,
        payload: &[u8],
        stamp: Stamp,
        keep: Duration,
    ) -> Verdict {
        let put = self.put(key, payload, stamp, keep).await?;
        ensure_eq(put, Put::Kept, "what became of a put")
    }

    /// Puts without a lease.
    pub(super) async fn put(
        &self,
        key: &CacheKey,
        payload: &[u8],
        stamp: Stamp,
        keep: Duration,
    ) -> Result<Put, Violation> {
        let payload = Bytes::copy_from_slice(payload);
        Ok(self.handle(1).put(key, payload, stamp, keep, NOBODY).await?)
    }

    /// Asks for the lease of a key that lasts so long, where nothing is fresh.
    pub(super) async fn leased(
        &self,
        key: &CacheKey,
        id: LeaseId,
        lasts: Duration,
    ) -> Result<bool, Violation> {
        self.leased_unless_younger(Duration::ZERO, key, id, lasts).await
    }

    /// The same where a copy younger than that is fresh.
    pub(super) async fn leased_unless_younger(
        &self,
        fresh_for: Duration,
        key: &CacheKey,
        id: LeaseId,
        lasts: Duration,
    ) -> Result<bool, Violation> {
        let want = LookFor { fresh_for, lease: Some(Lease { id, lasts }) };
        let handle = self.handle(usize::try_from(id.0).unwrap_or(0));
        Ok(handle.look(key, &want).await?.leased)
    }

    /// Every handle finds this payload, or none.
    pub(super) async fn ensure_found(
        &self,
        key: &CacheKey,
        payload: Option<&[u8]>,
        what: &str,
    ) -> Verdict {
        for handle in &self.handles {
            let found = usable(handle.look(key, &LookFor { fresh_for: LONG, lease: None }).await?)?;
            let found = found.map(|kept| kept.payload);
            ensure(found.as_deref() == payload, || {
                format!("{what} ({key}): {}", told(found.as_deref()))
            })?;
        }
        Ok(())
    }
}

/// The lease of those who ask for none.
pub(super) const NOBODY: LeaseId = LeaseId(u128::MAX);

/// A key of the kind most rules are checked on.
pub(super) fn key(name: &str) -> CacheKey {
    CacheKey { kind: "concerts", name: name.to_owned() }
}

fn usable(look: Look) -> Result<Option<Kept>, Violation> {
    look.kept.map_err(|why| Violation::new(format!("a copy is told to be unusable: {why:?}")))
}

/// A payload may be long.
fn told(found: Option<&[u8]>) -> String {
    match found {
        Some(found) => {
            format!("found {} bytes that begin {:?}", found.len(), &found[..found.len().min(20)])
        }
        None => "found nothing".to_owned(),
    }
}
