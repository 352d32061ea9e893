//! The contract suite on Postgres.

use std::sync::Arc;

use adapter_postgres::{Postgres, PostgresAddress, PostgresCatalog, PostgresCheckpoints};
use async_trait::async_trait;
use contracts::checkpoint::{CheckpointFixture, CheckpointHarness};
use contracts::concert::CatalogFixture;
use contracts::schedule::{ScheduleFixture, ScheduleHarness};
use domain::PortError;
use domain::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::queue::CheckpointStore;
use domain::sample_catalog::SampleConcert;
use domain::schedule::{ScheduleBook, ScheduleId};
use test_support::{Database, PgBouncer, PoolMode};

use crate::support::{LIMITS, POOL, address, address_through, bouncer, database, fill};

/// Directly, or through a pooler in this mode.
struct OnPostgres(Option<PoolMode>);

/// An empty database with its pooler, which are dropped with it.
struct Reached {
    address: PostgresAddress,
    database: Database,
    _pooler: Option<PgBouncer>,
}

impl OnPostgres {
    fn reach(&self) -> Reached {
        let database = database();
        let pooler = self.0.map(|mode| (bouncer(mode, &database), mode));
        let address = match &pooler {
            Some((pooler, mode)) => address_through(pooler, *mode, &database),
            None => address(&database.url()),
        };
        Reached { address, database, _pooler: pooler.map(|(pooler, _)| pooler) }
    }

    async fn owned(&self, concerts: Vec<SampleConcert>) -> Owned {
        let reached = self.reach();
        fill(&reached.database.url(), concerts).await;
        Owned { catalog: PostgresCatalog::new(reached.open()), reached }
    }
}

impl Reached {
    fn open(&self) -> Postgres {
        Postgres::open(self.address.clone(), LIMITS, &POOL).unwrap()
    }
}

/// A catalog and its database.
struct Owned {
    catalog: PostgresCatalog,
    reached: Reached,
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
        Arc::new(self.owned(concerts).await)
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
        self.reached.database.sql(&sell).unwrap();
    }
}

#[async_trait]
impl ScheduleFixture for OnPostgres {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        Box::new(self.owned(concerts).await)
    }
}

struct OwnedCheckpoints(Reached);

impl CheckpointHarness for OwnedCheckpoints {
    fn handles(&self) -> Vec<Arc<dyn CheckpointStore>> {
        // Each has its own connections, like two nodes.
        let handle = || Arc::new(PostgresCheckpoints::new(self.0.open()));
        vec![handle(), handle()]
    }
}

#[async_trait]
impl CheckpointFixture for OnPostgres {
    async fn open(&self) -> Box<dyn CheckpointHarness> {
        Box::new(OwnedCheckpoints(self.reach()))
    }
}

mod checkpoint {
    use super::*;
    contracts::checkpoint_contract!(OnPostgres(None));
}

mod concert {
    use super::*;
    contracts::concert_contract!(OnPostgres(None));
}

mod schedule {
    use super::*;
    contracts::schedule_contract!(OnPostgres(None));
}

mod through_pgbouncer_by_session {
    use super::*;

    mod checkpoint {
        use super::*;
        contracts::checkpoint_contract!(OnPostgres(Some(PoolMode::Session)));
    }

    mod concert {
        use super::*;
        contracts::concert_contract!(OnPostgres(Some(PoolMode::Session)));
    }

    mod schedule {
        use super::*;
        contracts::schedule_contract!(OnPostgres(Some(PoolMode::Session)));
    }
}

mod through_pgbouncer_by_transaction {
    use super::*;

    mod checkpoint {
        use super::*;
        contracts::checkpoint_contract!(OnPostgres(Some(PoolMode::Transaction)));
    }

    mod concert {
        use super::*;
        contracts::concert_contract!(OnPostgres(Some(PoolMode::Transaction)));
    }

    mod schedule {
        use super::*;
        contracts::schedule_contract!(OnPostgres(Some(PoolMode::Transaction)));
    }
}
