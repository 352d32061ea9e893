//! [`ConcertCatalog`] and [`ScheduleBook`]: by `catalog.store`. Two ports in one file because one store answers both.

use std::sync::Arc;

use adapter_memory::MemoryCatalogue;
use adapter_postgres::{Postgres, PostgresCatalogue, PostgresDependency, SetupError, check_schema};
use domain::concert::ConcertCatalog;
use domain::schedule::ScheduleBook;
use domain::{Clock, Dependency};

use crate::application::StartError;
use crate::config::{CatalogStore, Config, PostgresSection};

pub(crate) struct Catalogue {
    pub(crate) concerts: Arc<dyn ConcertCatalog>,
    pub(crate) schedules: Arc<dyn ScheduleBook>,
    /// What can be down, when that is not this process itself.
    pub(crate) dependency: Option<Arc<dyn Dependency>>,
}

pub(crate) async fn catalogue(config: &Config, clock: &dyn Clock) -> Result<Catalogue, StartError> {
    match config.catalog.store {
        CatalogStore::Memory => {
            let sample = Arc::new(MemoryCatalogue::sample(config.catalog.sample_concerts, clock.now()));
            let concerts = Arc::clone(&sample) as Arc<dyn ConcertCatalog>;
            Ok(Catalogue { concerts, schedules: sample, dependency: None })
        }
        CatalogStore::Postgres => in_postgres(&config.postgres).await,
    }
}

async fn in_postgres(section: &PostgresSection) -> Result<Catalogue, StartError> {
    let postgres = Postgres::open(section.address()?, section.limits(), &section.pool.settings())?;
    serve_what_is_there(check_schema(&postgres).await)?;
    let catalogue = Arc::new(PostgresCatalogue::new(postgres.clone()));
    Ok(Catalogue {
        concerts: Arc::clone(&catalogue) as Arc<dyn ConcertCatalog>,
        schedules: catalogue,
        dependency: Some(Arc::new(PostgresDependency::new(postgres))),
    })
}

/// A database that is down stops nobody from joining the line; one that can never serve this program stops it.
fn serve_what_is_there(checked: Result<(), SetupError>) -> Result<(), StartError> {
    match checked {
        // The loop that looks after the database reports it, now and as long as it lasts.
        Err(error) if error.is_transient() => Ok(()),
        checked => Ok(checked?),
    }
}
