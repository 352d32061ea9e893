//! The contract suite on Postgres.

use std::sync::Arc;

use adapter_postgres::{PostgresCatalog, PostgresCheckpoints};
use async_trait::async_trait;
use contracts::checkpoint::{CheckpointFixture, CheckpointHarness};
use contracts::concert::CatalogFixture;
use contracts::schedule::{ScheduleFixture, ScheduleHarness};
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::queue::CheckpointStore;
use domain::sample::SampleConcert;
use domain::schedule::{ScheduleBook, ScheduleId};
use test_support::Database;

use crate::support::{LIMITS, POOL, database, fill, open, pool};

struct OnPostgres;

/// A catalog and its database, which is dropped with it.
struct Owned {
    catalog: PostgresCatalog,
    database: Database,
}

impl Owned {
    async fn of(concerts: Vec<SampleConcert>) -> Self {
        let database = database();
        fill(&database.url(), concerts).await;
        Self { catalog: open(&database.url()), database }
    }
}

#[async_trait]
impl ConcertCatalog for Owned {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.catalog.page(request).await
    }
}

#[async_trait]
impl CatalogFixture for OnPostgres {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        Arc::new(Owned::of(concerts).await)
    }
}

#[async_trait]
impl ScheduleHarness for Owned {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        Arc::new(self.catalog.clone())
    }

    async fn set_seats_sold(&self, _: ConcertId, date: ScheduleId, sold: u32) {
        let state = format!("CASE WHEN number <= {sold} THEN 'sold' ELSE 'free' END");
        let sell = format!("UPDATE seats SET state = {state} WHERE schedule_id = {date}");
        self.database.sql(&sell).unwrap();
    }
}

#[async_trait]
impl ScheduleFixture for OnPostgres {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        Box::new(Owned::of(concerts).await)
    }
}

struct OwnedCheckpoints(Database);

impl CheckpointHarness for OwnedCheckpoints {
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>> {
        // Each has its own connections, like two nodes.
        let handle = || Arc::new(PostgresCheckpoints::new(pool(&self.0.url(), LIMITS, &POOL)));
        vec![handle(), handle()]
    }
}

#[async_trait]
impl CheckpointFixture for OnPostgres {
    async fn open(&self) -> Box<dyn CheckpointHarness> {
        Box::new(OwnedCheckpoints(database()))
    }
}

mod checkpoint {
    use super::*;
    contracts::checkpoint_contract!(OnPostgres);
}

mod concert {
    use super::*;
    contracts::concert_contract!(OnPostgres);
}

mod schedule {
    use super::*;
    contracts::schedule_contract!(OnPostgres);
}
