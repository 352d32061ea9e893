//! The cache store in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use decorators::cache::{
    CacheKey, CacheStore, CopyVersion, Kept, Lease, LeaseId, Lookup, LookupRequest, PutOutcome,
    Unusable,
};
use domain::{Clock, PortError};

/// A generous estimate of the bytes kept with a payload: the key, times, and entries in two maps.
const ENTRY_BYTES: usize = 256;

/// A cache store behind one lock, within a fixed memory limit. When a new entry does not fit, the
/// entries that expire soonest are evicted.
pub struct MemoryCacheStore {
    max_bytes: usize,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    copies: HashMap<CacheKey, Entry>,
    /// Expiry times, the soonest first.
    ends: BTreeMap<(Micros, Serial), CacheKey>,
    leases: HashMap<CacheKey, LeaseHeld>,
    invalidated: HashMap<&'static str, Micros>,
    bytes: usize,
    last_serial: Serial,
    /// The latest time seen. If the clock steps back, this time stays where it is.
    now: Micros,
}

type Micros = u64;
type Serial = u64;

/// The value stored under a key.
struct Entry {
    content: Result<(Bytes, CopyVersion), Unusable>,
    ends: (Micros, Serial),
}

struct LeaseHeld {
    by: LeaseId,
    ends: Micros,
}

impl MemoryCacheStore {
    /// A store that holds at most `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize, clock: Arc<dyn Clock>) -> Self {
        Self { max_bytes, clock, state: Mutex::default() }
    }

    /// The length of the longest payload that fits.
    #[must_use]
    pub fn longest_payload(&self) -> usize {
        self.max_bytes.saturating_sub(ENTRY_BYTES)
    }

    /// The bytes in use, never more than `max_bytes`.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.at_this_moment().bytes
    }

    /// Stores an unusable entry under this key, as other programs or corruption do in a shared
    /// store.
    pub fn plant(&self, key: &CacheKey, what: Unusable) {
        self.at_this_moment().insert(key, Err(what), Micros::MAX, self.max_bytes);
    }

    fn at_this_moment(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Micros::try_from(self.clock.now().as_microsecond()).unwrap_or(0);
        state.now = state.now.max(now);
        state
    }
}

impl State {
    /// The entry under this key, unless it has expired.
    fn copy(&mut self, key: &CacheKey) -> Option<&Entry> {
        if self.copies.get(key)?.ends.0 <= self.now {
            self.remove(key);
        }
        self.copies.get(key)
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(copy) = self.copies.remove(key) {
            self.ends.remove(&copy.ends);
            self.bytes -= copy.size();
        }
    }

    fn insert(
        &mut self,
        key: &CacheKey,
        content: Result<(Bytes, CopyVersion), Unusable>,
        ends: Micros,
        max_bytes: usize,
    ) {
        self.remove(key);
        self.last_serial += 1;
        let copy = Entry { content, ends: (ends, self.last_serial) };
        while self.bytes + copy.size() > max_bytes
            && let Some((_, soonest)) = self.ends.pop_first()
        {
            self.remove(&soonest);
        }
        self.bytes += copy.size();
        self.ends.insert(copy.ends, key.clone());
        self.copies.insert(key.clone(), copy);
    }

    /// Takes the lease if it is free; returns whether the caller holds it.
    fn lease(&mut self, key: &CacheKey, lease: Lease) -> bool {
        let now = self.now;
        self.leases.retain(|_, held| held.ends > now);
        let is_held = self.leases.get(key).is_none_or(|held| held.by == lease.id);
        if is_held {
            let ends = now.saturating_add(micros(lease.lasts));
            self.leases.insert(key.clone(), LeaseHeld { by: lease.id, ends });
        }
        is_held
    }

    fn release(&mut self, key: &CacheKey, lease: LeaseId) {
        if self.leases.get(key).is_some_and(|held| held.by == lease) {
            self.leases.remove(key);
        }
    }

    fn since(&self, then: Micros) -> Duration {
        Duration::from_micros(self.now.saturating_sub(then))
    }
}

impl Entry {
    fn size(&self) -> usize {
        ENTRY_BYTES + self.content.as_ref().map_or(0, |(payload, _)| payload.len())
    }
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

#[async_trait]
impl CacheStore for MemoryCacheStore {
    async fn lookup(&self, key: &CacheKey, want: &LookupRequest) -> Result<Lookup, PortError> {
        let mut state = self.at_this_moment();
        let content = state.copy(key).map(|copy| copy.content.clone()).transpose();
        let at = match &content {
            Ok(Some((_, CopyVersion(stamp)))) => state.now.max(stamp.saturating_add(1)),
            Ok(None) | Err(_) => state.now,
        };
        let kept = content.map(|copy| {
            copy.map(|(payload, CopyVersion(at))| Kept { payload, age: state.since(at) })
        });
        let is_fresh = matches!(&kept, Ok(Some(kept)) if kept.age < want.fresh_for);
        let leased = !is_fresh && want.lease.is_some_and(|lease| state.lease(key, lease));
        Ok(Lookup { kept, at: CopyVersion(at), leased })
    }

    async fn put(
        &self,
        key: &CacheKey,
        payload: Bytes,
        stamp: CopyVersion,
        keep_for: Duration,
        lease: LeaseId,
    ) -> Result<PutOutcome, PortError> {
        let mut state = self.at_this_moment();
        state.release(key, lease);
        if ENTRY_BYTES + payload.len() > self.max_bytes {
            return Ok(PutOutcome::TooLarge);
        }
        let there = state.copy(key).and_then(|copy| copy.content.as_ref().ok());
        if there.is_some_and(|(_, there)| *there >= stamp) {
            return Ok(PutOutcome::NewerIsThere);
        }
        let ends = state.now.saturating_add(micros(keep_for));
        state.insert(key, Ok((payload, stamp)), ends, self.max_bytes);
        Ok(PutOutcome::Kept)
    }

    async fn release(&self, key: &CacheKey, lease: LeaseId) -> Result<(), PortError> {
        self.at_this_moment().release(key, lease);
        Ok(())
    }

    async fn invalidate(&self, kind: &'static str) -> Result<(), PortError> {
        let mut state = self.at_this_moment();
        let now = state.now;
        state.invalidated.insert(kind, now);
        Ok(())
    }

    async fn invalidated(&self, kind: &'static str) -> Result<Option<Duration>, PortError> {
        let state = self.at_this_moment();
        Ok(state.invalidated.get(kind).map(|then| state.since(*then)))
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;
    use crate::ManualClock;

    const MINUTE: Duration = Duration::from_secs(60);

    fn store(max_bytes: usize) -> (MemoryCacheStore, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH + MINUTE * 60));
        (MemoryCacheStore::new(max_bytes, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn put(store: &MemoryCacheStore, name: &str, bytes: usize, keep_for: Duration) {
        let key = CacheKey { kind: "concerts", name: name.to_owned() };
        let mut state = store.at_this_moment();
        let (stamp, ends) = (CopyVersion(state.now), state.now + micros(keep_for));
        state.insert(&key, Ok((vec![0; bytes].into(), stamp)), ends, store.max_bytes);
    }

    fn names(store: &MemoryCacheStore) -> Vec<String> {
        let mut names: Vec<_> =
            store.at_this_moment().copies.keys().map(|key| key.name.clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn those_that_end_soonest_make_room_and_of_those_the_oldest() {
        let (store, _clock) = store(3 * (ENTRY_BYTES + 100));
        put(&store, "long", 100, MINUTE * 9);
        put(&store, "older", 100, MINUTE);
        put(&store, "younger", 100, MINUTE);
        put(&store, "new", 100, MINUTE * 2);
        assert_eq!(names(&store), ["long", "new", "younger"]);
        put(&store, "wide", 300, MINUTE * 5);
        assert_eq!(names(&store), ["long", "wide"]);
    }

    #[test]
    fn its_memory_never_exceeds_what_was_given_and_all_of_it_comes_back() {
        let (store, clock) = store(10_000);
        for n in 0..2_000_usize {
            put(
                &store,
                &(n % 37).to_string(),
                (n * 7_919) % 9_000,
                MINUTE * u32::from(n.to_le_bytes()[0]),
            );
            let state = store.at_this_moment();
            assert!(state.bytes <= 10_000);
            assert_eq!(state.bytes, state.copies.values().map(Entry::size).sum::<usize>());
            assert_eq!(state.ends.len(), state.copies.len());
        }
        clock.advance(MINUTE * 300);
        for n in 0..37 {
            let key = CacheKey { kind: "concerts", name: n.to_string() };
            store.at_this_moment().copy(&key);
        }
        assert_eq!(store.bytes(), 0);
    }

    #[tokio::test]
    async fn a_clock_that_steps_back_makes_nothing_younger() {
        let (store, clock) = store(10_000);
        store.invalidate("concerts").await.unwrap();
        clock.advance(MINUTE);
        assert_eq!(store.invalidated("concerts").await.unwrap(), Some(MINUTE));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(store.invalidated("concerts").await.unwrap(), Some(MINUTE));
    }
}
