//! Single-flight: at most one fetch per key, shared by all its callers. A caller joins the fetch in
//! flight or starts one, and holds a [`Seat`] until the fetch publishes its result or fails.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument as _;

/// Fetches in flight. Each runs on its own task, so the first caller may be cancelled.
pub(super) struct Flights<K, T> {
    under_way: Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>,
    runtime: Handle,
}

/// A subscription to the result of a fetch.
pub(super) struct Seat<T> {
    result: watch::Receiver<Option<T>>,
    /// Whether the fetch was already in flight.
    pub(super) joined: bool,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Runs fetches on this runtime, which must outlive all callers.
    pub(super) fn on(runtime: Handle) -> Self {
        Self { under_way: Arc::default(), runtime }
    }

    /// Joins the fetch of this key, or starts it. `fetch` receives a handle to publish the result
    /// and may keep working afterwards; later callers do not join it.
    pub(super) fn board<F>(&self, key: &K, fetch: impl FnOnce(Tell<K, T>) -> F) -> Seat<T>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(result) = under_way.get(key) {
            return Seat { result: result.clone(), joined: true };
        }
        let (tell, result) = watch::channel(None);
        under_way.insert(key.clone(), result.clone());
        drop(under_way);
        let landed = Landed { key: key.clone(), under_way: Arc::clone(&self.under_way) };
        // The fetch belongs to the first caller's trace.
        self.runtime.spawn(fetch(Tell { results: tell, landed }).in_current_span());
        Seat { result, joined: false }
    }

    /// Whether a fetch of this key is in flight.
    pub(super) fn has(&self, key: &K) -> bool {
        lock(&self.under_way).contains_key(key)
    }
}

/// Publishes the result to all waiters, once. If it is dropped without a result, as by a panic,
/// waiters receive `None`.
pub(super) struct Tell<K: Eq + Hash, T> {
    /// Dropped first, so that no caller joins a fetch that has failed.
    landed: Landed<K, T>,
    results: watch::Sender<Option<T>>,
}

impl<K: Eq + Hash, T> Tell<K, T> {
    pub(super) fn all(self, result: T) {
        drop(self.landed);
        self.results.send_replace(Some(result));
    }
}

impl<T: Clone> Seat<T> {
    /// The result; `None` if the fetch ended without one, by a panic or with its runtime.
    pub(super) async fn result(mut self) -> Option<T> {
        let told = self.result.wait_for(Option::is_some).await.ok()?;
        told.clone()
    }
}

/// Removes the fetch from the map, however its task ends.
struct Landed<K: Eq + Hash, T> {
    key: K,
    under_way: Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>,
}

impl<K: Eq + Hash, T> Drop for Landed<K, T> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}

type UnderWay<K, T> = HashMap<K, watch::Receiver<Option<T>>>;

fn lock<K, T>(under_way: &Mutex<UnderWay<K, T>>) -> MutexGuard<'_, UnderWay<K, T>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}
