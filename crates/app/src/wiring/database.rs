//! The database, opened once for every port it answers.

use std::sync::Arc;

use adapter_postgres::{Postgres, PostgresDependency, PostgresUse, SetupError, check_schema};
use domain::Dependency;
use telemetry::metrics::Meters;

use crate::application::StartError;
use crate::config::{CatalogStore, CheckpointStoreKind, Config};
use crate::metrics;

pub(crate) struct Database {
    pub(crate) postgres: Postgres,
    pub(crate) dependency: Arc<dyn Dependency>,
}

/// The database, where anything is kept in it.
pub(crate) async fn database(
    config: &Config,
    meters: &Meters,
) -> Result<Option<Database>, StartError> {
    if !config.needs_database() {
        return Ok(None);
    }
    let section = &config.postgres;
    let postgres = Postgres::open(section.address()?, section.limits(), &section.pool.settings())?;
    metrics::watch_postgres_pool(meters, &postgres);
    serve_what_is_there(check_schema(&postgres).await)?;
    // It is judged by what is kept in it.
    let uses = PostgresUse {
        catalogue: config.catalog.store == CatalogStore::Postgres,
        checkpoints: config.queue.checkpoint.store == CheckpointStoreKind::Postgres,
    };
    let dependency = Arc::new(PostgresDependency::new(postgres.clone(), uses));
    Ok(Some(Database { postgres, dependency }))
}

/// A database that is down stops nobody from joining the line; one that can never serve this program stops it.
fn serve_what_is_there(checked: Result<(), SetupError>) -> Result<(), StartError> {
    match checked {
        // The loop that looks after the database reports it, now and as long as it lasts.
        Err(error) if error.is_transient() => Ok(()),
        checked => Ok(checked?),
    }
}
