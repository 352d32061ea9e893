//! Guarded ports keep the rules of the port.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{ManualClock, MemoryCacheStore, MemoryCatalog, MemoryQueue};
use async_trait::async_trait;
use contracts::cache::{CacheFixture, CacheHarness};
use contracts::concert::CatalogFixture;
use contracts::queue::{QueueFixture, QueueHarness};
use contracts::schedule::{ScheduleFixture, ScheduleHarness};
use decorators::cache::{CacheKey, CacheStore, Unusable};
use domain::concert::{ConcertCatalog, ConcertId};
use domain::queue::{AdmissionPolicy, QueueId, QueueStore, QueueTime};
use domain::sample_catalog::SampleConcert;
use domain::schedule::{ScheduleBook, ScheduleId};
use domain::{Clock, Timestamp};

use crate::layers::{
    InAll, InBreaker, InBulkhead, InRetry, InTimeLimit, Layers, in_queue_breakers,
};

/// The memory adapters behind these layers.
struct Behind<L>(PhantomData<L>);

#[async_trait]
impl<L: Layers> CatalogFixture for Behind<L> {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        L::around(Arc::new(MemoryCatalog::new(concerts)) as Arc<dyn ConcertCatalog>)
    }
}

struct Book {
    seats: Arc<MemoryCatalog>,
    book: Arc<dyn ScheduleBook>,
}

#[async_trait]
impl ScheduleHarness for Book {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        Arc::clone(&self.book)
    }

    async fn set_seats_sold(&self, concert: ConcertId, date: ScheduleId, sold: u32) {
        assert!(self.seats.set_seats_sold(concert, date, sold), "the date exists");
    }
}

#[async_trait]
impl<L: Layers> ScheduleFixture for Behind<L> {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        let seats = Arc::new(MemoryCatalog::new(concerts));
        let book = L::around(Arc::clone(&seats) as Arc<dyn ScheduleBook>);
        Box::new(Book { seats, book })
    }
}

struct Line {
    store: Arc<dyn QueueStore>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl QueueHarness for Line {
    fn queue(&self) -> QueueId {
        QueueId::parse("main").unwrap()
    }

    fn nodes(&self) -> Vec<Arc<dyn QueueStore>> {
        vec![Arc::clone(&self.store)]
    }

    async fn advance(&self, by: Duration) {
        // The queue's time follows the clock by at most a second per step.
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(QueueTime::LONGEST_STEP);
            self.clock.advance(step);
            self.store.snapshot(domain::queue::QueueCounters::START).await.unwrap();
            left -= step;
        }
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_second(1_777_896_000).unwrap()))
}

#[async_trait]
impl<L: Layers> QueueFixture for Behind<L> {
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness> {
        let clock = clock();
        let store = Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>));
        Box::new(Line { store: L::around(store as Arc<dyn QueueStore>), clock })
    }
}

struct InQueueBreakers;

#[async_trait]
impl QueueFixture for InQueueBreakers {
    async fn open(&self, policy: AdmissionPolicy) -> Box<dyn QueueHarness> {
        let clock = clock();
        let store = Arc::new(MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>));
        Box::new(Line { store: in_queue_breakers(store as Arc<dyn QueueStore>), clock })
    }
}

struct Copies {
    memory: Arc<MemoryCacheStore>,
    store: Arc<dyn CacheStore>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl CacheHarness for Copies {
    fn handles(&self) -> Vec<Arc<dyn CacheStore>> {
        vec![Arc::clone(&self.store)]
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn plant(&self, key: &CacheKey, what: Unusable) {
        self.memory.plant(key, what);
    }

    fn longest(&self) -> usize {
        self.memory.longest_payload()
    }
}

#[async_trait]
impl<L: Layers> CacheFixture for Behind<L> {
    async fn open(&self) -> Box<dyn CacheHarness> {
        let clock = clock();
        let memory =
            Arc::new(MemoryCacheStore::new(1_000_000, Arc::clone(&clock) as Arc<dyn Clock>));
        let store = L::around(Arc::clone(&memory) as Arc<dyn CacheStore>);
        Box::new(Copies { memory, store, clock })
    }
}

macro_rules! wrap {
    ($($module:ident: $layers:ident;)*) => {
        $(mod $module {
            use super::*;

            mod concert {
                use super::*;
                contracts::concert_contract!(Behind::<$layers>(PhantomData));
            }

            mod schedule {
                use super::*;
                contracts::schedule_contract!(Behind::<$layers>(PhantomData));
            }

            mod queue {
                use super::*;
                contracts::queue_contract!(Behind::<$layers>(PhantomData));
            }

            mod cache {
                use super::*;
                contracts::cache_store_contract!(Behind::<$layers>(PhantomData));
            }
        })*
    };
}

mod queue_breakers {
    use super::*;
    contracts::queue_contract!(InQueueBreakers);
}

wrap! {
    bulkhead: InBulkhead;
    time_limit: InTimeLimit;
    breaker: InBreaker;
    retry: InRetry;
    all: InAll;
}
