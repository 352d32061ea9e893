//! Single-flight: at most one fetch per key, shared by all its callers. A caller joins the fetch in
//! flight or starts one, and holds a [`Subscription`] until the fetch publishes its result or
//! fails.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument as _;

/// Fetches in flight. Each runs on its own task, so the first caller may be cancelled.
pub(super) struct SingleFlight<K, T> {
    in_flight: Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>,
    runtime: Handle,
}

/// A subscription to the result of a fetch.
pub(super) struct Subscription<T> {
    result: watch::Receiver<Option<T>>,
    /// Whether the fetch was already in flight.
    pub(super) joined: bool,
}

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Runs fetches on this runtime, which must outlive all callers.
    pub(super) fn on(runtime: Handle) -> Self {
        Self { in_flight: Arc::default(), runtime }
    }

    /// Joins the fetch of this key, or starts it. `fetch` receives a handle to publish the result
    /// and may keep working afterwards; later callers do not join it.
    pub(super) fn join<F>(
        &self,
        key: &K,
        fetch: impl FnOnce(Publisher<K, T>) -> F,
    ) -> Subscription<T>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut in_flight = lock(&self.in_flight);
        if let Some(result) = in_flight.get(key) {
            return Subscription { result: result.clone(), joined: true };
        }
        let (publisher, result) = watch::channel(None);
        in_flight.insert(key.clone(), result.clone());
        drop(in_flight);
        let on_drop = RemoveOnDrop { key: key.clone(), in_flight: Arc::clone(&self.in_flight) };
        // The fetch belongs to the first caller's trace.
        self.runtime.spawn(fetch(Publisher { results: publisher, on_drop }).in_current_span());
        Subscription { result, joined: false }
    }

    /// Whether a fetch of this key is in flight.
    pub(super) fn has(&self, key: &K) -> bool {
        lock(&self.in_flight).contains_key(key)
    }
}

/// Publishes the result to all waiters, once. If it is dropped without a result, as by a panic,
/// waiters receive `None`.
pub(super) struct Publisher<K: Eq + Hash, T> {
    /// Dropped first, so that no caller joins a fetch that has failed.
    on_drop: RemoveOnDrop<K, T>,
    results: watch::Sender<Option<T>>,
}

impl<K: Eq + Hash, T> Publisher<K, T> {
    pub(super) fn all(self, result: T) {
        drop(self.on_drop);
        self.results.send_replace(Some(result));
    }
}

impl<T: Clone> Subscription<T> {
    /// The result; `None` if the fetch ended without one, by a panic or with its runtime.
    pub(super) async fn result(mut self) -> Option<T> {
        let reported = self.result.wait_for(Option::is_some).await.ok()?;
        reported.clone()
    }
}

/// Removes the fetch from the map, however its task ends.
struct RemoveOnDrop<K: Eq + Hash, T> {
    key: K,
    in_flight: Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>,
}

impl<K: Eq + Hash, T> Drop for RemoveOnDrop<K, T> {
    fn drop(&mut self) {
        lock(&self.in_flight).remove(&self.key);
    }
}

type InFlight<K, T> = HashMap<K, watch::Receiver<Option<T>>>;

fn lock<K, T>(in_flight: &Mutex<InFlight<K, T>>) -> MutexGuard<'_, InFlight<K, T>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}
