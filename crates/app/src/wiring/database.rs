//! The database, opened once for every port that uses it.

use std::sync::Arc;

use adapter_postgres::{Postgres, PostgresDependency, PostgresUse, SetupError, check_schema};
use domain::HealthCheck;
use telemetry::metrics::Meters;

use crate::config::{CatalogStore, CheckpointStoreKind, Config};
use crate::metrics;
use crate::start_error::StartError;

pub(crate) struct Database {
    pub(crate) postgres: Postgres,
    pub(crate) dependency: Arc<dyn HealthCheck>,
}

/// Opens the database if any store uses it.
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
    // Its health depends on what it stores.
    let uses = PostgresUse {
        catalog: config.catalog.store == CatalogStore::Postgres,
        checkpoints: config.queue.checkpoint.store == CheckpointStoreKind::Postgres,
    };
    let dependency = Arc::new(PostgresDependency::new(postgres.clone(), uses));
    Ok(Some(Database { postgres, dependency }))
}

/// A database that is down does not keep users from joining, so the program starts. It stops if the
/// database can never serve it.
fn serve_what_is_there(checked: Result<(), SetupError>) -> Result<(), StartError> {
    match checked {
        // The health check of the database reports the outage.
        Err(error) if error.is_transient() => Ok(()),
        checked => Ok(checked?),
    }
}
