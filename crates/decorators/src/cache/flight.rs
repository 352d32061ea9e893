//! One fetch a key at a time, however many ask: a flight. Who asks boards the one under way, or has one start, and has a seat
//! in it until it lands: until it has told what it brought, or has failed to.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::Instrument as _;

/// Fetches under way. Each runs on a task of its own: whoever asked first may go away.
pub(super) struct Flights<K, T> {
    under_way: Arc<Mutex<HashMap<K, watch::Receiver<Option<T>>>>>,
    runtime: Handle,
}

/// A seat in a fetch.
pub(super) struct Seat<T> {
    result: watch::Receiver<Option<T>>,
    /// Whether it was under way before.
    pub(super) joined: bool,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Fetches run on this runtime, which must outlive the askers.
    pub(super) fn on(runtime: Handle) -> Self {
        Self { under_way: Arc::default(), runtime }
    }

    /// Joins the fetch of this key, or starts it. `fetch` is handed a way to tell the result, and may go on working after that;
    /// whoever asks from then on is not on board.
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
        // In the trace of whoever asked first.
        self.runtime.spawn(fetch(Tell { results: tell, landed }).in_current_span());
        Seat { result, joined: false }
    }

    /// Whether a fetch of this key is under way.
    pub(super) fn has(&self, key: &K) -> bool {
        lock(&self.under_way).contains_key(key)
    }
}

/// Tells everybody on board, once. Dropped without a word, as by a panic, it leaves them with nothing.
pub(super) struct Tell<K: Eq + Hash, T> {
    /// Dropped first: nobody boards a flight that has come to nothing.
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
    /// The result; `None` when the fetch ended without one, by a panic or with its runtime.
    pub(super) async fn result(mut self) -> Option<T> {
        let told = self.result.wait_for(Option::is_some).await.ok()?;
        told.clone()
    }
}

/// Ends a flight, however its task ends.
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
