//! A controllable source and the cache in front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{
    Answer, Cache, CacheSettings, CacheStore, Keep, Loaded, SharedSettings, Source, Stored,
};
use domain::{Dependency, PortError, PortErrorKind};
use tokio::sync::Semaphore;

/// Long lifetimes without jitter, so that tests are deterministic.
pub(crate) const SETTINGS: CacheSettings = CacheSettings {
    ttl: Duration::from_secs(10),
    absent_ttl: Duration::from_secs(2),
    jitter: 0.0,
    refresh_ahead: 1.0,
    stale_while_refreshing: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(3_600),
    retry_pause: Duration::from_secs(1),
    patience: Duration::from_millis(100),
    load_limit: Duration::from_secs(2),
    local_bytes: 1_000_000,
};

pub(crate) const SHARED: SharedSettings =
    SharedSettings { lease: Duration::from_secs(3), lease_wait: Duration::from_millis(500) };

/// An answer: the version of the source that produced it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Version(pub(crate) u32);

impl Stored for Version {
    fn weight(&self) -> usize {
        4
    }

    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0.to_be_bytes())
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        Some(Self(u32::from_be_bytes(bytes.as_ref().try_into().ok()?)))
    }
}

/// Keys from here on are absent.
pub(crate) const ABSENT: u32 = 1_000_000;

/// The source that all nodes share.
pub(crate) struct Origin {
    version: AtomicU32,
    pub(crate) loads: AtomicU32,
    is_down: AtomicBool,
    panics: AtomicBool,
    /// A load takes one permit, and waits if there is none.
    doors: Semaphore,
}

impl Origin {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            version: AtomicU32::new(1),
            loads: AtomicU32::new(0),
            is_down: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            doors: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    pub(crate) fn loads(&self) -> u32 {
        self.loads.load(Ordering::SeqCst)
    }

    pub(crate) fn change(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn set_panics(&self, panics: bool) {
        self.panics.store(panics, Ordering::SeqCst);
    }

    /// From now on, loads read the source and then hang.
    pub(crate) fn hold(&self) {
        self.doors.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets this many held loads finish.
    pub(crate) fn let_go(&self, loads: usize) {
        self.doors.add_permits(loads);
    }
}

pub(crate) struct Node(pub(crate) Arc<Origin>);

#[async_trait]
impl Source for Node {
    type Key = u32;
    type Value = Version;

    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn name(&self, key: &u32) -> String {
        key.to_string()
    }

    async fn load(&self, key: &u32) -> Result<Loaded<Version>, PortError> {
        let origin = &self.0;
        origin.loads.fetch_add(1, Ordering::SeqCst);
        let version = Version(origin.version.load(Ordering::SeqCst));
        tokio::task::yield_now().await;
        origin.doors.acquire().await.unwrap().forget();
        assert!(!origin.panics.load(Ordering::SeqCst), "panics on demand");
        if origin.is_down.load(Ordering::SeqCst) {
            return Err(PortError::new(PortErrorKind::Unavailable, Dependency::named("origin")));
        }
        let keep = if *key < ABSENT { Keep::Found } else { Keep::Absent };
        Ok(Loaded { value: version, keep })
    }
}

pub(crate) fn cache(origin: &Arc<Origin>, settings: CacheSettings) -> Cache<Node> {
    Cache::new(Node(Arc::clone(origin)), settings, None)
}

pub(crate) fn node(
    origin: &Arc<Origin>,
    store: &Arc<dyn CacheStore>,
    settings: CacheSettings,
) -> Cache<Node> {
    Cache::new(Node(Arc::clone(origin)), settings, Some((Arc::clone(store), SHARED)))
}

/// The version returned, and whether it was marked stale.
pub(crate) fn seen(answer: Result<Answer<Version>, PortError>) -> (u32, bool) {
    let answer = answer.unwrap();
    (answer.value.0, answer.is_stale)
}

pub(crate) const FRESH: bool = false;
pub(crate) const OLD: bool = true;

/// Advances the time, then runs all tasks that are ready.
pub(crate) async fn pass(time: Duration) {
    settle().await;
    tokio::time::advance(time).await;
    settle().await;
}

/// Runs all tasks that are ready.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
