//! The contract suite on the memory adapter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{
    ManualClock, MemoryCacheStore, MemoryCatalog, MemoryCheckpoints, MemoryQueue,
};
use contracts::cache::{CacheFixture, CacheHarness};
use contracts::checkpoint::{CheckpointFixture, CheckpointHarness};
use contracts::concert::CatalogFixture;
use contracts::queue::{QueueFixture, QueueHarness};
use contracts::schedule::{ScheduleFixture, ScheduleHarness};
use decorators::cache::{CacheKey, CacheStore, Unusable};
use domain::concert::{ConcertCatalog, ConcertId};
use domain::queue::{
    AdmissionPolicy, CheckpointStore, QueueCounters, QueueId, QueueStore, QueueTime,
};
use domain::sample_catalog::SampleConcert;
use domain::schedule::{ScheduleBook, ScheduleId};
use domain::{Clock, Timestamp};

struct Memory;

struct MemoryWorld {
    queue: Arc<MemoryQueue>,
    clock: Arc<ManualClock>,
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_second(1_777_896_000).unwrap()))
}

#[async_trait::async_trait]
impl QueueFixture for Memory {
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness> {
        let clock = clock();
        let queue = Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>));
        Box::new(MemoryWorld { queue, clock })
    }
}

#[async_trait::async_trait]
impl QueueHarness for MemoryWorld {
    fn queue(&self) -> QueueId {
        QueueId::parse("main").unwrap()
    }

    fn nodes(&self) -> Vec<Arc<dyn QueueStore>> {
        vec![self.queue.clone()]
    }

    async fn advance(&self, by: Duration) {
        // The queue's time advances by at most a second per step.
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(QueueTime::LONGEST_STEP);
            self.clock.advance(step);
            self.queue.snapshot(QueueCounters::START).await.unwrap();
            left -= step;
        }
    }
}

#[async_trait::async_trait]
impl CatalogFixture for Memory {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        Arc::new(MemoryCatalog::new(concerts))
    }
}

struct MemoryBook(Arc<MemoryCatalog>);

#[async_trait::async_trait]
impl ScheduleHarness for MemoryBook {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        self.0.clone()
    }

    async fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32) {
        assert!(self.0.set_seats_sold(concert, date, sold), "the date exists");
    }
}

#[async_trait::async_trait]
impl ScheduleFixture for Memory {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        Box::new(MemoryBook(Arc::new(MemoryCatalog::new(concerts))))
    }
}

struct MemoryOfLines(Arc<MemoryCheckpoints>);

impl CheckpointHarness for MemoryOfLines {
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>> {
        vec![self.0.clone(), self.0.clone()]
    }
}

#[async_trait::async_trait]
impl CheckpointFixture for Memory {
    async fn open(&self) -> Box<dyn CheckpointHarness> {
        Box::new(MemoryOfLines(Arc::default()))
    }
}

struct MemoryCache {
    store: Arc<MemoryCacheStore>,
    clock: Arc<ManualClock>,
}

#[async_trait::async_trait]
impl CacheFixture for Memory {
    async fn open(&self) -> Box<dyn CacheHarness> {
        let clock = clock();
        let store =
            Arc::new(MemoryCacheStore::new(1_000_000, Arc::clone(&clock) as Arc<dyn Clock>));
        Box::new(MemoryCache { store, clock })
    }
}

#[async_trait::async_trait]
impl CacheHarness for MemoryCache {
    fn handles(&self) -> Vec<Arc<dyn CacheStore>> {
        vec![self.store.clone(), self.store.clone()]
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn plant(&self, key: &CacheKey, what: Unusable) {
        self.store.plant(key, what);
    }

    fn longest(&self) -> usize {
        self.store.longest_payload()
    }
}

mod cache {
    use super::*;
    contracts::cache_store_contract!(Memory);
}

mod queue {
    use super::*;
    contracts::queue_contract!(Memory);
}

mod concert {
    use super::*;
    contracts::concert_contract!(Memory);
}

mod schedule {
    use super::*;
    contracts::schedule_contract!(Memory);
}

mod checkpoint {
    use super::*;
    contracts::checkpoint_contract!(Memory);
}
