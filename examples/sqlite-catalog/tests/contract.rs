//! The published rules of both ports, on this adapter.

use std::sync::Arc;

use async_trait::async_trait;
use port_rules::concert::CatalogFixture;
use port_rules::schedule::{ScheduleFixture, ScheduleHarness};
use ports::PortError;
use ports::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use ports::sample_catalog::SampleConcert;
use ports::schedule::{ScheduleBook, ScheduleId};
use sqlite_catalog::SqliteCatalog;
use tempfile::TempDir;

struct Sqlite;

/// A catalog and the folder of its file, which is removed with it.
struct InFolder {
    catalog: Arc<SqliteCatalog>,
    _folder: TempDir,
}

async fn with(concerts: Vec<SampleConcert>) -> InFolder {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalog.sqlite")).await.unwrap();
    catalog.add(concerts).await.unwrap();
    InFolder { catalog: Arc::new(catalog), _folder: folder }
}

#[async_trait]
impl ConcertCatalog for InFolder {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.catalog.page(request).await
    }
}

#[async_trait]
impl CatalogFixture for Sqlite {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Arc<dyn ConcertCatalog> {
        Arc::new(with(concerts).await)
    }
}

#[async_trait]
impl ScheduleFixture for Sqlite {
    async fn open(&self, concerts: Vec<SampleConcert>) -> Box<dyn ScheduleHarness> {
        Box::new(with(concerts).await)
    }
}

#[async_trait]
impl ScheduleHarness for InFolder {
    fn book(&self) -> Arc<dyn ScheduleBook> {
        Arc::clone(&self.catalog) as _
    }

    async fn set_seats_sold(&self, _: ConcertId, date: ScheduleId, sold: u32) {
        self.catalog.set_seats_sold(date, sold).await.unwrap();
    }
}

mod concerts {
    use super::*;
    port_rules::concert_contract!(Sqlite);
}

mod dates {
    use super::*;
    port_rules::schedule_contract!(Sqlite);
}
