//! The second level of the cache, in Redis.

mod cluster_route;
mod connection;
mod entry;
mod failure;
mod health;
mod keys;
mod pool;
mod reply;
mod scripts;
mod signer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bb8_redis::redis::Value;
use bytes::Bytes;
use connection_pool::{Meter, PoolState};
use decorators::cache::{
    CacheKey, CacheStore, CopyVersion, LeaseId, Lookup, LookupRequest, PutOutcome, Unusable,
};
use domain::PortError;
use tokio::runtime::Handle;

pub use health::RedisCacheDependency;
pub use pool::CachePoolSettings;
pub use signer::CacheSigner;

use self::cluster_route::Route;
use self::connection::Request;
use self::entry::{HEAD, MARK};
use self::failure::Failure;
use self::reply::{Looked, invalidation, read_lookup, stays};
use self::scripts::{
    Call, GET_OR_LEASE, INVALIDATE, INVALIDATED, PROBE, PUT, RELEASE_LEASE, Script,
};
use self::signer::{Signed, hex};
use crate::address::RedisAddress;
use crate::memory_info::{MemoryInfo, RedisMemory};

/// Settings of a [`RedisCacheStore`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedisCacheSettings {
    /// The prefix of every key, before the name of the deployment.
    pub prefix: String,
    /// Maximum payload that is stored or fetched.
    pub max_entry_bytes: usize,
    /// The connections.
    pub pool: CachePoolSettings,
}

impl Default for RedisCacheSettings {
    fn default() -> Self {
        Self {
            prefix: "boxoffice:cache".to_owned(),
            max_entry_bytes: 1 << 20,
            pool: CachePoolSettings::default(),
        }
    }
}

/// Cached copies in Redis, shared by all nodes. The server may evict them, lose them, or be down:
/// see [`CacheStore`]. Clones share the connections.
#[derive(Clone)]
pub struct RedisCacheStore(Arc<Inner>);

struct Inner {
    route: Route,
    meter: Arc<Meter>,
    usage: MemoryInfo,
    signer: CacheSigner,
    prefix: String,
    /// Whether a warning about values of another deployment was logged.
    has_warned: AtomicBool,
    max_entry_bytes: usize,
}

/// Maximum lifetime of a copy, and so of an invalidation.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl RedisCacheStore {
    /// Opens a store of copies signed by this signer. It connects in the background, and reconnects
    /// when needed. Must be called inside the runtime that runs the connections; that runtime must
    /// outlive the store. Calls may come from any runtime.
    #[must_use]
    pub fn open(address: RedisAddress, settings: RedisCacheSettings, signer: CacheSigner) -> Self {
        let RedisCacheSettings { prefix, max_entry_bytes, pool } = settings;
        let meter = Arc::<Meter>::default();
        Self(Arc::new(Inner {
            route: Route::open(address, pool, Arc::clone(&meter), Handle::current()),
            meter,
            usage: MemoryInfo::default(),
            prefix: keys::prefix(&prefix, signer.deployment()),
            signer,
            has_warned: AtomicBool::new(false),
            max_entry_bytes,
        }))
    }

    /// The number of connections, and of calls that wait for one.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let mut state = self.0.meter.state();
        self.route().add_to(&mut state);
        state
    }

    /// Registers a listener for the time each call waited for its connection, whether it got one or
    /// not. A call refused without waiting is not reported. The listener runs during the call, so
    /// it must not block. Only the first listener is kept.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        self.0.meter.on_wait(listener);
    }

    /// The memory of the cache's server as of the last check of [`RedisCacheDependency`], which
    /// requests it at most every five seconds. On a cluster, this is the fullest primary, with the
    /// sum of the keys all primaries evicted. `None` before the first check, after a failed check,
    /// and if no server reports its memory.
    #[must_use]
    pub fn memory(&self) -> Option<RedisMemory> {
        self.usage().last()
    }

    fn usage(&self) -> &MemoryInfo {
        &self.0.usage
    }

    fn route(&self) -> &Route {
        &self.0.route
    }

    /// A call about one key, with the arguments of entry.lua.
    fn call(
        &self,
        script: &'static Script,
        key: &CacheKey,
        distrusted: &Bytes,
        lease: Option<LeaseId>,
    ) -> Call {
        let lease = lease.map(|id| self.lease(key, id)).unwrap_or_default();
        Call::new(script, keys::of(&self.0.prefix, key).into())
            .arg(&MARK[..])
            .number(self.longest_value())
            .arg(distrusted.clone())
            .arg(lease)
    }

    /// A lease in its stored form: a mark that only this deployment can write under this key, then
    /// the holder's id.
    fn lease(&self, key: &CacheKey, LeaseId(id): LeaseId) -> String {
        let mark = self.0.signer.tag(Signed::Lease, &key.to_string(), 0, b"");
        format!("{}{id:032x}", hex(&mark))
    }

    /// An invalidation in its stored form.
    fn invalidation(&self, kind: &str, micros: u64) -> String {
        let tag = self.0.signer.tag(Signed::Invalidation, kind, micros, b"");
        format!("{}:{micros}", hex(&tag))
    }

    /// The time of a stored invalidation, if this deployment wrote it.
    fn invalidated_at(&self, kind: &str, written: &[u8]) -> Option<u64> {
        let (tag, micros) = std::str::from_utf8(written).ok()?.split_once(':')?;
        let (tag, micros) = (unhex(tag)?, micros.parse().ok()?);
        self.0.signer.is_ours(&tag, Signed::Invalidation, kind, micros, b"").then_some(micros)
    }

    /// The server's time, the stored invalidation, and its time if it is ours.
    async fn read_invalidation(&self, kind: &str) -> Result<(u64, Bytes, Option<u64>), Failure> {
        let key = keys::invalidated(&self.0.prefix, kind);
        let (now, written) =
            invalidation(self.run(Call::new(&INVALIDATED, vec![key.clone()])).await?)?;
        let at = self.invalidated_at(kind, &written);
        if at.is_none() && !written.is_empty() {
            self.warn_of_a_neighbour(&key);
        }
        Ok((now, written, at))
    }

    /// Warns once about a value of another deployment. Counters report how often.
    fn warn_of_a_neighbour(&self, key: &str) {
        if !self.0.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                key,
                "a value in the cache's redis was written by another deployment or with another \
                 key and is ignored: give each deployment its own queue.id or redis.cache.prefix"
            );
        }
    }

    /// Reads the value under a key.
    fn read(&self, key: &CacheKey, value: Bytes) -> Result<entry::Entry, Unusable> {
        let read = entry::read(&self.0.signer, &key.to_string(), value);
        if read == Err(Unusable::Foreign) {
            let [copy, _] = keys::of(&self.0.prefix, key);
            self.warn_of_a_neighbour(&copy);
        }
        read
    }

    /// Whether the server takes copies and leases now.
    async fn takes_copies(&self) -> Result<(), Failure> {
        let key = keys::probe(&self.0.prefix);
        self.run(Call::new(&PROBE, vec![key]).number(millis(PROBED_FOR))).await.map(drop)
    }

    fn longest_value(&self) -> u64 {
        u64::try_from(self.0.max_entry_bytes.saturating_add(HEAD)).unwrap_or(u64::MAX)
    }

    async fn run(&self, call: Call) -> Result<Value, Failure> {
        let key = call.key().to_owned();
        self.route().run(&key, Request::Call(call)).await
    }

    async fn lookup_once(
        &self,
        key: &CacheKey,
        want: &LookupRequest,
        distrusted: &Bytes,
    ) -> Result<Looked, Failure> {
        let lasts = want.lease.map_or(Duration::ZERO, |lease| lease.lasts);
        let call = self
            .call(&GET_OR_LEASE, key, distrusted, want.lease.map(|lease| lease.id))
            .number(micros(want.fresh_for))
            .number(millis(lasts));
        read_lookup(self.run(call).await?, |value| self.read(key, value))
    }
}

/// Lifetime of the key that a health check writes.
const PROBED_FOR: Duration = Duration::from_secs(60);

#[async_trait]
impl CacheStore for RedisCacheStore {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        let mut read_lookup = self.lookup_once(key, want, &Bytes::new()).await?;
        // The script reads only the head. A copy that looks fresh and is damaged got no lease, so
        // this retries.
        if let Some(distrusted) = read_lookup.distrusted.take().filter(|_| want.lease.is_some()) {
            read_lookup = self.lookup_once(key, want, &distrusted).await?;
        }
        Ok(Lookup { kept: read_lookup.kept, at: read_lookup.at, leased: read_lookup.is_leased })
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        if payload.len() > self.0.max_entry_bytes {
            self.release(key, lease).await?;
            return Ok(PutOutcome::TooLarge);
        }
        let value = entry::write(&self.0.signer, &key.to_string(), stamp, &payload);
        let mut distrusted = Bytes::new();
        loop {
            let call = self
                .call(&PUT, key, &distrusted, Some(lease))
                .number(stamp.0)
                .number(millis(keep_for));
            let Some(there) = stays(self.run(call.arg(value.clone())).await?)? else {
                return Ok(PutOutcome::Kept);
            };
            let seen = Bytes::copy_from_slice(entry::digest(&there));
            // The script reads only the head. A damaged value is replaced, unless it has changed
            // meanwhile.
            if self.read(key, there).is_ok() || seen == distrusted {
                return Ok(PutOutcome::NewerIsThere);
            }
            distrusted = seen;
        }
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.run(self.call(&RELEASE_LEASE, key, &Bytes::new(), Some(lease))).await?;
        Ok(())
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        let key = keys::invalidated(&self.0.prefix, kind);
        for attempt in 1..=INVALIDATE_ATTEMPTS {
            // Copies stamped up to this moment were loaded before or during this call.
            let (now, seen, last) = self.read_invalidation(kind).await?;
            let written = self.invalidation(kind, now.max(last.unwrap_or(0)));
            let call = Call::new(&INVALIDATE, vec![key.clone()])
                .arg(seen)
                .arg(written)
                .number(millis(DAY))
                .number(u64::from(attempt == INVALIDATE_ATTEMPTS));
            if self.run(call).await? == Value::Int(1) {
                break;
            }
        }
        Ok(())
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        let (now, _, at) = self.read_invalidation(kind).await?;
        Ok(at.map(|at| Duration::from_micros(now.saturating_sub(at))))
    }
}

/// Attempts before an invalidation overwrites whatever is stored. Up to this many concurrent
/// invalidations of a kind keep their order, and a writer that keeps overwriting the key cannot
/// prevent an invalidation.
const INVALIDATE_ATTEMPTS: u32 = 5;

/// Decodes hexadecimal text.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| value.try_into().ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// A lifetime for Redis: at least one millisecond, at most a day.
fn millis(lifetime: Duration) -> u64 {
    let millis = lifetime.min(DAY).as_micros().div_ceil(1_000);
    u64::try_from(millis).unwrap_or(u64::MAX).max(1)
}

/// A duration for the scripts. More than a century counts as for ever, and is still exact in Lua.
fn micros(duration: Duration) -> u64 {
    const FOR_EVER: u64 = 1 << 52;
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(FOR_EVER)
}
