//! The second level of the cache in Redis.

mod entry;
mod failure;
mod health;
mod keys;
mod pool;
mod reply;
mod route;
mod scripts;
mod session;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bb8_redis::redis::Value;
use bytes::Bytes;
use decorators::cache::{CacheKey, CacheStore, LeaseId, Look, LookFor, Put, Stamp};
use domain::PortError;
use tokio::runtime::Handle;

pub use health::RedisCacheDependency;
pub use pool::{CachePoolSettings, CachePoolState};

use self::entry::{HEAD, MARK};
use self::failure::Failure;
use self::pool::Meter;
use self::reply::{Looked, ago, looked, stays};
use self::route::Route;
use self::scripts::{Call, GIVE_BACK, INVALIDATE, INVALIDATED, LOOK, PROBE, PUT, Script};
use self::session::Question;
use crate::address::Address;
use crate::usage::{RedisMemory, Usage};

/// How copies are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedisCacheSettings {
    /// What every key begins with.
    pub prefix: String,
    /// The longest payload that is put or fetched.
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

/// Copies in Redis, for all nodes. It may evict them, forget them, or be down: see [`CacheStore`]. Clones share the
/// connections.
#[derive(Clone)]
pub struct RedisCacheStore(Arc<Inner>);

struct Inner {
    route: Route,
    meter: Arc<Meter>,
    usage: Usage,
    prefix: String,
    max_entry_bytes: usize,
}

/// No copy is kept for longer, so that no invalidation has to be remembered for longer.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl RedisCacheStore {
    /// A store that connects in the background, and again whenever it has to. Must be called inside the runtime that is to
    /// run it, which must live as long as the store; it may be asked from any.
    #[must_use]
    pub fn open(address: Address, settings: RedisCacheSettings) -> Self {
        let RedisCacheSettings { prefix, max_entry_bytes, pool } = settings;
        let meter = Arc::<Meter>::default();
        Self(Arc::new(Inner {
            route: Route::open(address, pool, Arc::clone(&meter), Handle::current()),
            meter,
            usage: Usage::default(),
            prefix,
            max_entry_bytes,
        }))
    }

    /// How many connections there are, and how many questions wait for one.
    #[must_use]
    pub fn state(&self) -> CachePoolState {
        let mut state = self.0.meter.state();
        self.route().add_to(&mut state);
        state
    }

    /// Has this told how long each question waited for its connection, whether it got one or not; a question that may not even
    /// wait is none of these. It is called while the question goes on, so it must not block. The first listener stays, whoever
    /// else comes.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        self.0.meter.listen(listener);
    }

    /// The memory of the cache's server as of the last check of [`RedisCacheDependency`], which asks for it every five seconds
    /// at most. On a cluster it is that of the primary which is fullest, with the keys that all of them evicted. `None` before
    /// the first check, after one that failed, and where no server tells.
    #[must_use]
    pub fn memory(&self) -> Option<RedisMemory> {
        self.usage().last()
    }

    fn usage(&self) -> &Usage {
        &self.0.usage
    }

    fn route(&self) -> &Route {
        &self.0.route
    }

    /// A call about one key, with what copy.lua wants to know.
    fn call(
        &self,
        script: &'static Script,
        key: &CacheKey,
        distrusted: &Bytes,
        lease: Option<LeaseId>,
    ) -> Call {
        let lease = lease.map(|LeaseId(id)| format!("{id:032x}")).unwrap_or_default();
        Call::new(script, keys::of(&self.0.prefix, key).into())
            .arg(&MARK[..])
            .number(self.longest_value())
            .arg(distrusted.clone())
            .arg(lease)
    }

    /// Whether copies and leases are taken now.
    async fn takes_copies(&self) -> Result<(), Failure> {
        let key = keys::probe(&self.0.prefix);
        self.ask(Call::new(&PROBE, vec![key]).number(millis(PROBED_FOR))).await.map(drop)
    }

    fn longest_value(&self) -> u64 {
        u64::try_from(self.0.max_entry_bytes.saturating_add(HEAD)).unwrap_or(u64::MAX)
    }

    async fn ask(&self, call: Call) -> Result<Value, Failure> {
        let key = call.key().to_owned();
        self.route().ask(&key, Question::Call(call)).await
    }

    async fn look_once(&self, key: &CacheKey, want: &LookFor, distrusted: &Bytes) -> Result<Looked, Failure> {
        let lasts = want.lease.map_or(Duration::ZERO, |lease| lease.lasts);
        let call = self
            .call(&LOOK, key, distrusted, want.lease.map(|lease| lease.id))
            .number(micros(want.fresh_for))
            .number(millis(lasts));
        looked(self.ask(call).await?)
    }
}

/// How long what a check writes is kept.
const PROBED_FOR: Duration = Duration::from_secs(60);

#[async_trait]
impl CacheStore for RedisCacheStore {
    async fn look(&self, key: &CacheKey, want: &LookFor) -> Result<Look, PortError> {
        let mut looked = self.look_once(key, want, &Bytes::new()).await?;
        // The script reads only the head, so it gave no lease on the loading of what looks fresh and is damaged.
        if let Some(distrusted) = looked.distrusted.take().filter(|_| want.lease.is_some()) {
            looked = self.look_once(key, want, &distrusted).await?;
        }
        Ok(Look { kept: looked.kept, at: looked.at, leased: looked.is_leased })
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: Stamp,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<Put, PortError> {
        if payload.len() > self.0.max_entry_bytes {
            self.give_back(key, lease).await?;
            return Ok(Put::TooLarge);
        }
        let value = entry::write(stamp, &payload);
        let mut distrusted = Bytes::new();
        loop {
            let call =
                self.call(&PUT, key, &distrusted, Some(lease)).number(stamp.0).number(millis(keep_for));
            let Some(there) = stays(self.ask(call.arg(value.clone())).await?)? else { return Ok(Put::Kept) };
            let seen = Bytes::copy_from_slice(entry::digest(&there));
            // The script reads only the head. What is damaged is replaced, unless it is another one by now.
            if entry::read(there).is_ok() || seen == distrusted {
                return Ok(Put::NewerIsThere);
            }
            distrusted = seen;
        }
    }

    async fn give_back(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.ask(self.call(&GIVE_BACK, key, &Bytes::new(), Some(lease))).await?;
        Ok(())
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        let key = keys::invalidated(&self.0.prefix, kind);
        self.ask(Call::new(&INVALIDATE, vec![key]).number(millis(DAY))).await?;
        Ok(())
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        let key = keys::invalidated(&self.0.prefix, kind);
        let answer = self.ask(Call::new(&INVALIDATED, vec![key]).number(millis(DAY))).await?;
        Ok(ago(answer)?)
    }
}

/// A lifetime as Redis takes it: at least one millisecond, and at most a day.
fn millis(lifetime: Duration) -> u64 {
    let millis = lifetime.min(DAY).as_micros().div_ceil(1_000);
    u64::try_from(millis).unwrap_or(u64::MAX).max(1)
}

/// A duration as the scripts compare it; longer than a century is for ever, and still exact there.
fn micros(duration: Duration) -> u64 {
    const FOR_EVER: u64 = 1 << 52;
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(FOR_EVER)
}
