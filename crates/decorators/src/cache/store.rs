//! The port of the second level: a store of copies shared by all nodes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

/// Identifies one answer of one kind. Built from parsed values only, never from raw client input,
/// so that the number of keys is bounded. Both parts consist of ASCII letters, digits and `-`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CacheKey {
    /// The kind of answer, such as `concerts`.
    pub kind: &'static str,
    /// The name within that kind.
    pub name: String,
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A moment on the store's clock, in microseconds since an arbitrary epoch. Comparable under one
/// key only.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CopyVersion(pub u64);

/// A copy in the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The stored bytes, unchanged.
    pub payload: Bytes,
    /// Time on the store's clock since the copy's stamp was issued.
    pub age: Duration,
}

/// Why a copy exists but cannot be used. The caller loads the answer again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unusable {
    /// Written by a program of another version.
    Version,
    /// Longer than this program accepts; not even fetched.
    TooLarge,
    /// Corrupt: not the bytes that were stored.
    Corrupt,
    /// Written by another program, or for another purpose.
    Foreign,
}

/// Identifies the holder of a lease; never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LeaseId(pub u128);

/// The parameters of a lookup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LookupRequest {
    /// A copy younger than this is fresh.
    pub fresh_for: Duration,
    /// The lease to take if no copy is fresh and the lease is free.
    pub lease: Option<Lease>,
}

/// The right to load one key while other nodes wait, until it expires. A lease saves work and
/// guarantees nothing: two nodes may hold it if the store loses data or a load outlasts it. The
/// order of stamps then decides which copy stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// The holder.
    pub id: LeaseId,
    /// Time to live; more than zero.
    pub lasts: Duration,
}

/// The result of a lookup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lookup {
    /// The copy, fresh or not; `Ok(None)` if there is none.
    pub kept: Result<Option<Kept>, Unusable>,
    /// The moment of this lookup. An answer loaded from the source afterwards is stored under this
    /// stamp.
    pub at: CopyVersion,
    /// Whether the caller now holds the requested lease.
    pub leased: bool,
}

/// The outcome of a put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutOutcome {
    /// The copy is kept.
    Kept,
    /// A copy with the same or a later stamp is there, and stays.
    NewerIsThere,
    /// The copy is longer than the store accepts.
    TooLarge,
}

/// Keeps copies for all nodes, and may lose any of them at any time. Any number of tasks may call
/// one store; every method is one atomic step on its key.
///
/// # The rules every store keeps
///
/// 1. A stored copy is found, unchanged and through every handle, until its time to live is over or
///    the store loses it. The put that stored it sets its time to live.
/// 2. A copy never replaces one with the same or a later stamp. Any copy replaces an unusable one.
/// 3. The age of a copy is the time since its stamp, on every handle. The stamps that lookups
///    return never decrease under one key, and a lookup that finds a copy returns a later stamp
///    than the copy's.
/// 4. A lease is granted only if no fresh copy is found, and to one holder at a time; the holder
///    extends it by requesting it again. It ends when it expires, when its holder releases it, and
///    when its holder puts, whatever the outcome of the put. Only the holder can end it early.
/// 5. Keys are independent, within a kind and across kinds.
/// 6. A copy that is of another version, from another program, too large or corrupt is reported as
///    such. It is never returned as a copy and is not fresh. A put of a copy longer than the store
///    accepts is refused, and the existing copy stays.
/// 7. Every handle reports an invalidation of a kind, with the time since it; the last one counts.
///    The callers decide what happens to the copies.
#[async_trait]
pub trait CacheStore: Send + Sync {
    /// Looks up a copy and, if none is fresh, takes the requested lease.
    ///
    /// # Errors
    /// [`PortError`] if the store could not answer; a lease may have been taken, and expires.
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError>;

    /// Stores the answer that was loaded after the lookup that issued this stamp, and releases the
    /// lease with this id.
    ///
    /// # Errors
    /// [`PortError`] if the store could not answer; the copy may have been stored.
    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError>;

    /// Releases a lease after a load without a result.
    ///
    /// # Errors
    /// [`PortError`] if the store could not answer; the lease then expires.
    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError>;

    /// Invalidates all copies of this kind made before now.
    ///
    /// # Errors
    /// [`PortError`] if the store could not answer.
    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError>;

    /// Time since the last invalidation of this kind, as far as the store still knows it.
    ///
    /// # Errors
    /// [`PortError`] if the store could not answer.
    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError>;
}
