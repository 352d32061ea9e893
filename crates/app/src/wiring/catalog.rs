//! [`ConcertCatalog`] and [`ScheduleBook`], chosen by `catalog.store`. Both ports are in one file
//! because one store serves both.

use std::sync::Arc;

use adapter_memory::MemoryCatalog;
use adapter_postgres::PostgresCatalog;
use domain::Clock;
use domain::concert::ConcertCatalog;
use domain::schedule::ScheduleBook;

use super::Database;
use crate::adapter_set::Adapter;
use crate::config::{CatalogStore, Config};
use crate::start_error::StartError;

pub(crate) struct Catalog {
    pub(crate) concerts: Adapter<dyn ConcertCatalog>,
    pub(crate) schedules: Adapter<dyn ScheduleBook>,
}

/// The given adapters; the configured store serves what is missing.
pub(crate) fn catalog(
    config: &Config,
    concerts: Option<Adapter<dyn ConcertCatalog>>,
    schedules: Option<Adapter<dyn ScheduleBook>>,
    database: Option<&Database>,
    clock: &dyn Clock,
) -> Result<Catalog, StartError> {
    match (concerts, schedules) {
        (Some(concerts), Some(schedules)) => Ok(Catalog { concerts, schedules }),
        (concerts, schedules) => {
            let configured = configured(config, database, clock)?;
            Ok(Catalog {
                concerts: concerts.unwrap_or(configured.concerts),
                schedules: schedules.unwrap_or(configured.schedules),
            })
        }
    }
}

fn configured(
    config: &Config,
    database: Option<&Database>,
    clock: &dyn Clock,
) -> Result<Catalog, StartError> {
    match config.catalog.store {
        CatalogStore::Memory => {
            let sample = MemoryCatalog::sample(config.catalog.sample_concerts, clock.now());
            Ok(both(Arc::new(sample), "memory"))
        }
        CatalogStore::Postgres => {
            let database = database.ok_or(StartError::NO_DATABASE)?;
            Ok(both(Arc::new(PostgresCatalog::new(database.postgres.clone())), "postgresql"))
        }
    }
}

fn both<A: ConcertCatalog + ScheduleBook + 'static>(
    adapter: Arc<A>,
    system: &'static str,
) -> Catalog {
    let concerts: Arc<dyn ConcertCatalog> = Arc::clone(&adapter) as _;
    let schedules: Arc<dyn ScheduleBook> = adapter;
    Catalog {
        concerts: Adapter::new(concerts).of_system(system),
        schedules: Adapter::new(schedules).of_system(system),
    }
}
