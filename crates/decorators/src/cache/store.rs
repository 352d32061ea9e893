//! The port behind the second level: copies of answers, kept where every node finds them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::PortError;

/// Names one answer of one kind. Made of parsed values only, never of what somebody sent, so that their number is bounded;
/// both parts are of ASCII letters, digits and `-`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CacheKey {
    /// The kind of answer, such as `concerts`.
    pub kind: &'static str,
    /// Which one of that kind.
    pub name: String,
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}

/// A moment by the clock of the store, in microseconds since some beginning. Comparable under one key only.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp(pub u64);

/// A copy that the store keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// What was put, to the byte.
    pub payload: Bytes,
    /// How long ago, by the store's clock, the stamp was told under which it was put.
    pub age: Duration,
}

/// Why there is a copy and none that can be used. Whoever meets one loads anew.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Unusable {
    /// Written by a program of another version.
    Version,
    /// Longer than this program accepts; not even fetched.
    TooLarge,
    /// Not what was put.
    Corrupt,
    /// Put by somebody else, or for something else.
    Foreign,
}

/// Who holds a lease; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LeaseId(pub u128);

/// What to look for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LookFor {
    /// A copy younger than this is fresh.
    pub fresh_for: Duration,
    /// When no copy is fresh: the lease to take, if it is free, and for how long.
    pub lease: Option<Lease>,
}

/// The right to load one key while others wait, for as long as it lasts. It saves work and promises nothing: two may hold it
/// when a store forgets or a load outlasts it, and then the order of stamps decides whose copy stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lease {
    /// Whose it is to be.
    pub id: LeaseId,
    /// When it ends by itself; more than zero.
    pub lasts: Duration,
}

/// What a look found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Look {
    /// The copy, fresh or not; `Ok(None)` when there is none.
    pub kept: Result<Option<Kept>, Unusable>,
    /// The moment of this look. What is loaded from the source after it is put under it.
    pub at: Stamp,
    /// Whether the lease asked for is held now.
    pub leased: bool,
}

/// What became of a put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Put {
    /// It is kept.
    Kept,
    /// A copy with the same or a later stamp is there, and stays.
    NewerIsThere,
    /// It is longer than the store accepts.
    TooLarge,
}

/// Keeps copies for all nodes, and may lose any of them at any time. One value may be asked from any number of tasks; every
/// method is one atomic step on its key.
///
/// # The rules every store keeps
///
/// 1. What was put is found, to the byte and through any handle, until it has been kept as long as it was to be, or lost. How
///    long that is says the put that brought it, and no other.
/// 2. A copy never replaces one with the same or a later stamp; what cannot be used is replaced by anything.
/// 3. The age of a copy is the time since its stamp, on whichever handle it is asked. The stamps that looks tell never go back
///    under one key, and a look that finds a copy tells a later one than the copy's.
/// 4. A lease is taken only where no fresh copy is found, and held by one at a time; asking again for one's own holds it on.
///    It ends when its time is over, when it is given back by its holder, and when its holder puts, whatever comes of the
///    put. Nobody ends somebody else's.
/// 5. Keys are apart, also those of one kind, and those of one name in two kinds.
/// 6. What was put by another version or by somebody else, is too large or is not what was put is told as that, never as a copy, and is not fresh.
///    What is longer than the store accepts is refused at the put, and what was there stays.
/// 7. An invalidation of a kind is told to every handle, with the time since it; of several the last counts. What happens
///    to copies is up to those who hear of it.
#[async_trait]
pub trait CacheStore: Send + Sync {
    /// Looks for a copy and, where none is fresh, takes the lease that is asked for.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell; a lease may have been taken, and ends by itself.
    async fn look(&self, key: &CacheKey, want: &LookFor) -> Result<Look, PortError>;

    /// Keeps a copy of what was loaded after the look that told this stamp, and ends the lease of that id.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell; it may be kept all the same.
    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: Stamp,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<Put, PortError>;

    /// Gives a lease back, for a load that brought nothing.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell; the lease ends by itself then.
    async fn give_back(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError>;

    /// From now on no copy of this kind made before counts.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError>;

    /// How long ago this kind was invalidated the last time, as far as is still known.
    ///
    /// # Errors
    /// [`PortError`] when the store could not tell.
    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError>;
}
