//! Reads through the cache keep the rules of the port they come from: with all layers below, a
//! shared store, and consecutive reads on different nodes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_memory::{MemoryCacheStore, MemoryCatalog, SteadyClock};
use async_trait::async_trait;
use bytes::Bytes;
use contracts::concert::CatalogFixture;
use contracts::schedule::{ScheduleFixture, ScheduleHarness};
use decorators::cache::{
    AnyCache as _, Cache, CacheSettings, CacheStore, Keep, Loaded, SharedSettings, Source, Stored,
};
use domain::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::sample_catalog::SampleConcert;
use domain::schedule::{OpenDate, ScheduleBook, ScheduleId};
use domain::{PortError, Timestamp};

use crate::layers::{InAll, Layers};

/// A value whose bytes are its index in a table: this test does not cover serialization.
#[derive(Clone)]
struct Numbered<T>(T);

trait Table: Clone + Send + Sync + 'static {
    fn table() -> &'static Mutex<Vec<Self>>;
}

impl Table for ConcertPage {
    fn table() -> &'static Mutex<Vec<Self>> {
        static TABLE: Mutex<Vec<ConcertPage>> = Mutex::new(Vec::new());
        &TABLE
    }
}

type Dates = Option<Vec<OpenDate>>;

impl Table for Dates {
    fn table() -> &'static Mutex<Vec<Self>> {
        static TABLE: Mutex<Vec<Dates>> = Mutex::new(Vec::new());
        &TABLE
    }
}

impl<T: Table> Stored for Numbered<T> {
    fn weight(&self) -> usize {
        100
    }

    fn to_bytes(&self) -> Bytes {
        let mut table = T::table().lock().unwrap();
        table.push(self.0.clone());
        Bytes::copy_from_slice(&(table.len() - 1).to_be_bytes())
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let number = usize::from_be_bytes(bytes.as_ref().try_into().ok()?);
        T::table().lock().unwrap().get(number).cloned().map(Self)
    }
}

struct Pages(Arc<dyn ConcertCatalog>);

#[async_trait]
impl Source for Pages {
    type Key = PageRequest;
    type Value = Numbered<ConcertPage>;

    fn kind(&self) -> &'static str {
        "concerts"
    }

    fn name(&self, key: &PageRequest) -> String {
        format!("{}-{}", key.size.get(), key.number.get())
    }

    async fn load(&self, key: &PageRequest) -> Result<Loaded<Self::Value>, PortError> {
        let page = self.0.page(*key).await?;
        let keep = if page.concerts.is_empty() { Keep::Absent } else { Keep::Found };
        Ok(Loaded { value: Numbered(page), keep })
    }
}

struct OpenDates(Arc<dyn ScheduleBook>);

#[async_trait]
impl Source for OpenDates {
    type Key = (ConcertId, Timestamp);
    type Value = Numbered<Dates>;

    fn kind(&self) -> &'static str {
        "dates"
    }

    fn name(&self, (concert, now): &Self::Key) -> String {
        format!("{}-{}", concert.get(), now.as_nanosecond())
    }

    async fn load(&self, (concert, now): &Self::Key) -> Result<Loaded<Self::Value>, PortError> {
        let dates = self.0.open_dates(*concert, *now).await?;
        let keep = if dates.is_some() { Keep::Found } else { Keep::Absent };
        Ok(Loaded { value: Numbered(dates), keep })
    }
}

/// Nodes that are read in turn.
struct Nodes<S: Source> {
    caches: Vec<Cache<S>>,
    store: Arc<dyn CacheStore>,
    turn: AtomicUsize,
}

impl<S: Source> Nodes<S> {
    fn of(source: impl Fn() -> S) -> Self {
        let clock = Arc::new(SteadyClock::starting_at(Timestamp::UNIX_EPOCH));
        let store =
            InAll::around(Arc::new(MemoryCacheStore::new(1_000_000, clock)) as Arc<dyn CacheStore>);
        let shared =
            SharedSettings { lease: Duration::from_secs(3), lease_wait: Duration::from_secs(2) };
        let settings = CacheSettings { ttl: Duration::from_secs(600), ..CacheSettings::default() };
        let cache = || Cache::new(source(), settings, Some((Arc::clone(&store), shared)));
        let caches = (0..3).map(|_| cache()).collect();
        Self { caches, store, turn: AtomicUsize::new(0) }
    }

    async fn get(&self, key: &S::Key) -> Result<Arc<S::Value>, PortError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Ok(self.caches[turn % self.caches.len()].get(key).await?.value)
    }

    /// Invalidates in the store after a change, and lets every node poll it.
    async fn changed(&self) {
        self.store.invalidate(self.caches[0].kind()).await.unwrap();
        for cache in &self.caches {
            cache.poll_invalidations().await.unwrap();
        }
    }
}

#[async_trait]
impl ConcertCatalog for Nodes<Pages> {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        Ok(self.get(&request).await?.0.clone())
    }
}

#[async_trait]
impl ScheduleBook for Nodes<OpenDates> {
    async fn open_dates(&self, concert: ConcertId, now: Timestamp) -> Result<Dates, PortError> {
        Ok(self.get(&(concert, now)).await?.0.clone())
    }
}

struct Cached;

#[async_trait]
impl CatalogFixture for Cached {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        let catalog =
            InAll::around(Arc::new(MemoryCatalog::new(concerts)) as Arc<dyn ConcertCatalog>);
        Arc::new(Nodes::of(|| Pages(Arc::clone(&catalog))))
    }
}

struct CachedBook {
    seats: Arc<MemoryCatalog>,
    nodes: Arc<Nodes<OpenDates>>,
}

#[async_trait]
impl ScheduleHarness for CachedBook {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        Arc::clone(&self.nodes) as Arc<dyn ScheduleBook>
    }

    async fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32) {
        assert!(self.seats.set_seats_sold(concert, date, sold), "the date exists");
        self.nodes.changed().await;
    }
}

#[async_trait]
impl ScheduleFixture for Cached {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        let seats = Arc::new(MemoryCatalog::new(concerts));
        let book = InAll::around(Arc::clone(&seats) as Arc<dyn ScheduleBook>);
        let nodes = Arc::new(Nodes::of(|| OpenDates(Arc::clone(&book))));
        Box::new(CachedBook { seats, nodes })
    }
}

mod concert {
    use super::*;
    contracts::concert_contract!(Cached);
}

mod schedule {
    use super::*;
    contracts::schedule_contract!(Cached);
}
