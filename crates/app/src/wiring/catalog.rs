//! [`ConcertCatalog`] and [`ScheduleBook`], chosen by `catalog.store`. Both ports are in one file
//! because one store serves both.

use std::sync::Arc;

use adapter_memory::MemoryCatalog;
use adapter_postgres::PostgresCatalog;
use domain::Clock;
use domain::concert::ConcertCatalog;
use domain::schedule::ScheduleBook;

use super::Database;
use crate::config::{CatalogStore, Config};
use crate::start_error::StartError;

pub(crate) struct Catalog {
    pub(crate) concerts: Arc<dyn ConcertCatalog>,
    pub(crate) schedules: Arc<dyn ScheduleBook>,
    /// The name of the store in metrics.
    pub(crate) system: &'static str,
}

pub(crate) fn catalog(
    config: &Config,
    database: Option<&Database>,
    clock: &dyn Clock,
) -> Result<Catalog, StartError> {
    match config.catalog.store {
        CatalogStore::Memory => {
            let sample =
                Arc::new(MemoryCatalog::sample(config.catalog.sample_concerts, clock.now()));
            Ok(Catalog {
                concerts: Arc::clone(&sample) as Arc<dyn ConcertCatalog>,
                schedules: sample,
                system: "memory",
            })
        }
        CatalogStore::Postgres => {
            let database = database.ok_or(StartError::NO_DATABASE)?;
            let stored = Arc::new(PostgresCatalog::new(database.postgres.clone()));
            Ok(Catalog {
                concerts: Arc::clone(&stored) as Arc<dyn ConcertCatalog>,
                schedules: stored,
                system: "postgresql",
            })
        }
    }
}
