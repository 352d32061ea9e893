//! The cache of one kind of answer: this process, then the level shared by all nodes, then the
//! source.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::{Dependency, PortError, PortErrorKind};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::counts::{CacheCounts, Counters};
use super::entry::{Entry, Freshness};
use super::first_level::FirstLevel;
use super::second_level::{FreshnessPolicy, LoadDecision, LoadTicket, SecondLevel};
use super::settings::{CacheSettings, SharedSettings};
use super::single_flight::{Publisher, SingleFlight, Subscription};
use super::source::{Keep, Source};
use super::store::{CacheKey, CacheStore, LeaseId};

/// An answer and its age.
#[derive(Debug)]
pub struct Answer<V> {
    /// The answer.
    pub value: Arc<V>,
    /// Time since the answer was known to be current.
    pub age: Duration,
    /// The answer is stale, and refreshing it failed or took too long.
    pub is_stale: bool,
}

/// The cache of one kind of answer. All callers share it; a hit is one lookup in a concurrent map.
///
/// Each node loads a missing key once, on a separate task; with a second level, one node loads it
/// for all. If the second level fails, the cache works without it. An answer never replaces a newer
/// one.
pub struct Cache<S: Source>(Arc<Inner<S>>);

impl<S: Source> Clone for Cache<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<S: Source> {
    source: S,
    settings: CacheSettings,
    local: Option<FirstLevel<S::Key, S::Value>>,
    shared: Option<SecondLevel>,
    single_flight: SingleFlight<S::Key, Fetched<S::Value>>,
    counters: Counters,
    /// This process measures time from here.
    origin: Instant,
    /// Answers as of an earlier moment are invalid: nanoseconds from `origin`.
    invalidated_before: AtomicU64,
}

type Fetched<V> = Result<CachedAnswer<V>, PortError>;

/// How long a node waits before it checks again for a copy that another node is refreshing.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A copy counts as clearly younger if its age is below this fraction of the other's age.
const CLEARLY_YOUNGER: f64 = 0.9;

/// A copy to return, and whether it is a stale fallback.
struct CachedAnswer<V> {
    entry: Arc<Entry<V>>,
    is_stale: bool,
}

impl<V> Clone for CachedAnswer<V> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), is_stale: self.is_stale }
    }
}

impl<S: Source> Cache<S> {
    /// Creates a cache in front of a source. Must be called inside the runtime that runs its loads.
    /// That runtime must outlive all calls to the cache.
    #[must_use]
    pub fn new(
        source: S,
        settings: CacheSettings,
        shared: Option<(Arc<dyn CacheStore>, SharedSettings)>,
    ) -> Self {
        Self(Arc::new(Inner {
            source,
            settings,
            local: (settings.local_bytes > 0).then(|| FirstLevel::new(settings.local_bytes)),
            shared: shared.map(|(store, settings)| SecondLevel { store, settings }),
            single_flight: SingleFlight::on(Handle::current()),
            counters: Counters::default(),
            origin: Instant::now(),
            invalidated_before: AtomicU64::new(0),
        }))
    }

    /// Returns the answer for a key, without waiting if possible. A load continues if its caller is
    /// cancelled.
    ///
    /// # Errors
    /// [`PortError`] if the source failed and there is no earlier answer.
    pub async fn get(&self, key: &S::Key) -> Result<Answer<S::Value>, PortError> {
        match self.at_once(key) {
            Some(answer) => Ok(answer),
            None => self.wait_for(key).await,
        }
    }

    /// Returns the answer if this process has one, without waiting.
    #[must_use]
    pub fn at_once(&self, key: &S::Key) -> Option<Answer<S::Value>> {
        let inner = &self.0;
        let entry = inner.local.as_ref()?.get(key)?;
        let now = Instant::now();
        let (counter, is_stale) =
            match entry.freshness(now, inner.invalidated_before(), &inner.settings) {
                Freshness::Fresh => (&inner.counters.hits, false),
                Freshness::RefreshDue => {
                    self.refresh(key, &entry, now);
                    (&inner.counters.hits, false)
                }
                Freshness::Stale => {
                    self.refresh(key, &entry, now);
                    if entry.is_failing() {
                        (&inner.counters.old, true)
                    } else {
                        (&inner.counters.stale, false)
                    }
                }
                Freshness::StaleIfError if entry.is_failing() => {
                    self.refresh(key, &entry, now);
                    (&inner.counters.old, true)
                }
                Freshness::StaleIfError | Freshness::Expired => return None,
            };
        counter.add_one();
        Some(inner.answer(&entry, now, is_stale))
    }

    /// Starts a background fetch, unless one is in flight or the last one failed too recently.
    fn refresh(&self, key: &S::Key, entry: &Entry<S::Value>, now: Instant) {
        if entry.is_due(now) && !self.0.single_flight.has(key) {
            drop(self.join(key));
        }
    }

    fn join(&self, key: &S::Key) -> Subscription<Fetched<S::Value>> {
        self.0
            .single_flight
            .join(key, |publisher| fetch(Arc::clone(&self.0), key.clone(), publisher))
    }

    async fn wait_for(&self, key: &S::Key) -> Result<Answer<S::Value>, PortError> {
        self.0.counters.misses.add_one();
        let fetched = self.fetched(key).await?;
        // A fetch in flight during an invalidation may return an invalidated answer; the next one
        // does not.
        let now = Instant::now();
        let is_overruled = self
            .0
            .invalidated_before()
            .is_some_and(|invalidated_before| fetched.entry.as_of < invalidated_before);
        let fetched =
            if is_overruled && !fetched.is_stale { self.fetched(key).await? } else { fetched };
        if fetched.is_stale {
            self.0.counters.fell_back.add_one();
        }
        Ok(self.0.answer(&fetched.entry, now, fetched.is_stale))
    }

    /// Waits for a fetch to end. If there is a stale copy to fall back on, waits only for
    /// `patience`.
    async fn fetched(&self, key: &S::Key) -> Fetched<S::Value> {
        let subscription = self.join(key);
        if subscription.joined {
            self.0.counters.joined.add_one();
        }
        let Some(old) = self.0.old(key) else {
            return subscription.result().await.unwrap_or_else(|| Err(lost()));
        };
        match timeout(self.0.settings.patience, subscription.result()).await {
            Ok(result) => result.unwrap_or_else(|| Err(lost())),
            Err(_) => Ok(CachedAnswer { entry: old, is_stale: true }),
        }
    }
}

/// A cache of any kind, for monitoring and invalidation.
#[async_trait]
pub trait AnyCache: Send + Sync {
    /// The kind of answer this cache holds.
    fn kind(&self) -> &'static str;

    /// The counters so far.
    fn counts(&self) -> CacheCounts;

    /// Approximate bytes held in this process; pending inserts and evictions are not included.
    fn local_bytes(&self) -> u64;

    /// Polls for invalidations once: if any node invalidated this kind, answers from before are
    /// stale here.
    ///
    /// # Errors
    /// [`PortError`] if the second level could not answer.
    async fn poll_invalidations(&self) -> Result<(), PortError>;
}

#[async_trait]
impl<S: Source> AnyCache for Cache<S> {
    fn kind(&self) -> &'static str {
        self.0.source.kind()
    }

    fn counts(&self) -> CacheCounts {
        self.0.counters.read()
    }

    fn local_bytes(&self) -> u64 {
        self.0.local.as_ref().map_or(0, FirstLevel::bytes)
    }

    async fn poll_invalidations(&self) -> Result<(), PortError> {
        let Some(shared) = &self.0.shared else { return Ok(()) };
        if let Some(ago) = shared.store.invalidated(self.kind()).await? {
            // The reply took time, so this moment is slightly late: it invalidates too much, never
            // too little.
            let at = Instant::now().checked_sub(ago).unwrap_or(self.0.origin);
            self.0.invalidate_before(at);
        }
        Ok(())
    }
}

/// Fetches the answer for a key, publishes it to the waiting callers, and stores it for the other
/// nodes.
async fn fetch<S: Source>(
    inner: Arc<Inner<S>>,
    key: S::Key,
    publisher: Publisher<S::Key, Fetched<S::Value>>,
) {
    // The previous fetch may have stored it between the caller's lookup and this task.
    if let Some(entry) = inner.fresh(&key) {
        return publisher.all(Ok(CachedAnswer { entry, is_stale: false }));
    }
    let name = CacheKey { kind: inner.source.kind(), name: inner.source.name(&key) };
    let spread = fastrand::f64();
    let policy = FreshnessPolicy {
        settings: &inner.settings,
        invalidated_before: inner.invalidated_before(),
        spread,
        fresh_for: inner.wanted(&key, spread),
        counters: &inner.counters,
    };
    let ticket = match &inner.shared {
        None => LoadTicket { stamp: None, lease: LeaseId(0), is_leased: false, stale: None },
        Some(shared) => match shared.decide(&name, &policy).await {
            LoadDecision::Give(entry) => return publisher.all(Ok(inner.take(&key, entry))),
            LoadDecision::Load(ticket) => ticket,
        },
    };
    match inner.load(&key, policy.spread).await {
        Ok((entry, keep)) => {
            if keep != Keep::Not {
                inner.keep(&key, &entry);
            }
            let answer = CachedAnswer { entry: Arc::clone(&entry), is_stale: false };
            // Waiting callers need not wait for the second level. But without a local level, the
            // next caller reads the second level, so it is written first.
            let settling = async {
                if let Some(shared) = &inner.shared {
                    shared.settle(&name, &entry, keep, &ticket, &policy).await;
                }
            };
            if inner.local.is_some() {
                publisher.all(Ok(answer));
                settling.await;
            } else {
                settling.await;
                publisher.all(Ok(answer));
            }
        }
        Err(error) => {
            let (lease, is_leased) = (ticket.lease, ticket.is_leased);
            publisher.all(inner.fall_back(&key, ticket.stale, error));
            if let (Some(shared), true) = (&inner.shared, is_leased) {
                shared.release(&name, lease, &inner.counters).await;
            }
        }
    }
}

impl<S: Source> Inner<S> {
    fn answer(&self, entry: &Entry<S::Value>, now: Instant, is_stale: bool) -> Answer<S::Value> {
        if entry.is_absence {
            self.counters.absent.add_one();
        }
        Answer { value: Arc::clone(&entry.value), age: entry.age(now), is_stale }
    }

    fn invalidated_before(&self) -> Option<Instant> {
        match self.invalidated_before.load(Ordering::Acquire) {
            0 => None,
            nanos => Some(self.origin + Duration::from_nanos(nanos)),
        }
    }

    fn invalidate_before(&self, before: Instant) {
        let nanos = before.saturating_duration_since(self.origin).as_nanos();
        self.invalidated_before
            .fetch_max(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// Keeps a copy in this process.
    fn keep(&self, key: &S::Key, entry: &Arc<Entry<S::Value>>) {
        if let Some(local) = &self.local
            && !local.offer(key, Arc::clone(entry))
        {
            self.counters.outrun.add_one();
        }
    }

    /// How young a copy of the second level must be to avoid a load: fresh and, to replace a local
    /// copy that is due for refresh, younger than that copy by more than the error of both ages.
    fn wanted(&self, key: &S::Key, spread: f64) -> Duration {
        let lifetime = self.settings.ttl.mul_f64(1.0 - self.settings.jitter * spread);
        let Some(entry) = self.local.as_ref().and_then(|local| local.get(key)) else {
            return lifetime;
        };
        let younger = self.settings.refresh_ahead.min(CLEARLY_YOUNGER);
        lifetime.min(entry.age(Instant::now()).mul_f64(younger))
    }

    /// Accepts a copy of the second level. If it is the same copy that this node already has, and
    /// another node is refreshing it, the local one stays: this node may know that its refresh
    /// fails, and checks again shortly.
    fn take(&self, key: &S::Key, entry: Arc<Entry<S::Value>>) -> CachedAnswer<S::Value> {
        let now = Instant::now();
        let freshness = |entry: &Entry<S::Value>| {
            entry.freshness(now, self.invalidated_before(), &self.settings)
        };
        let is_the_same =
            |here: &Arc<Entry<_>>| entry.age(now) >= here.age(now).mul_f64(CLEARLY_YOUNGER);
        let here =
            self.old(key).filter(is_the_same).filter(|_| freshness(&entry) > Freshness::Fresh);
        let Some(here) = here else {
            self.keep(key, &entry);
            return CachedAnswer { entry, is_stale: false };
        };
        here.pause(now, LOOK_AGAIN);
        let is_stale = here.is_failing() && freshness(&here) > Freshness::RefreshDue;
        CachedAnswer { entry: here, is_stale }
    }

    fn fresh(&self, key: &S::Key) -> Option<Arc<Entry<S::Value>>> {
        let entry = self.local.as_ref()?.get(key)?;
        let freshness = entry.freshness(Instant::now(), self.invalidated_before(), &self.settings);
        // A copy that is due for refresh does not count as fresh here.
        (freshness == Freshness::Fresh).then_some(entry)
    }

    /// A stale copy that this process may still return.
    fn old(&self, key: &S::Key) -> Option<Arc<Entry<S::Value>>> {
        self.local.as_ref()?.get(key).filter(|entry| self.can_be_given(entry))
    }

    fn can_be_given(&self, entry: &Entry<S::Value>) -> bool {
        entry.freshness(Instant::now(), self.invalidated_before(), &self.settings)
            < Freshness::Expired
    }

    async fn load(
        &self,
        key: &S::Key,
        spread: f64,
    ) -> Result<(Arc<Entry<S::Value>>, Keep), PortError> {
        self.counters.loads.add_one();
        let as_of = Instant::now();
        let loaded =
            timeout(self.settings.load_limit, self.source.load(key)).await.unwrap_or_else(|_| {
                Err(PortError::new(PortErrorKind::Timeout, Dependency::named(self.source.kind()))
                    .because("loading took too long"))
            });
        let loaded = loaded.inspect_err(|_| self.counters.load_failures.add_one())?;
        let entry = Entry::new(Arc::new(loaded.value), loaded.keep, as_of, spread, &self.settings);
        Ok((Arc::new(entry), loaded.keep))
    }

    /// The newest stale copy of this process or the second level; the error if there is none.
    fn fall_back(
        &self,
        key: &S::Key,
        shared: Option<Arc<Entry<S::Value>>>,
        error: PortError,
    ) -> Fetched<S::Value> {
        let shared = shared.filter(|entry| self.can_be_given(entry));
        let newest = shared.into_iter().chain(self.old(key)).max_by_key(|entry| entry.as_of);
        let Some(entry) = newest else { return Err(error) };
        tracing::debug!(
            error = %error,
            kind = self.source.kind(),
            "refresh failed; serving a stale answer"
        );
        entry.failed(Instant::now(), self.settings.retry_pause);
        self.keep(key, &entry);
        Ok(CachedAnswer { entry, is_stale: true })
    }
}

fn lost() -> PortError {
    PortError::new(PortErrorKind::Unavailable, Dependency::CACHE).because("the load was lost")
}
