//! The database, opened once for every port that uses it.

use std::sync::Arc;

use adapter_postgres::{Postgres, PostgresDependency, PostgresUse, SetupError, check_schema};
use domain::HealthCheck;
use telemetry::metrics::Meters;

use crate::adapter_set::Adapters;
use crate::config::{CatalogStore, CheckpointStoreKind, Config};
use crate::metrics;
use crate::start_error::StartError;

pub(crate) struct Database {
    pub(crate) postgres: Postgres,
    pub(crate) dependency: Arc<dyn HealthCheck>,
}

/// What the database is used for: what the configuration keeps in it and the caller has not
/// replaced.
pub(crate) fn uses(config: &Config, adapters: &Adapters) -> PostgresUse {
    let serves_catalog = adapters.concert_catalog.is_none() || adapters.schedule_book.is_none();
    let keeps_checkpoints = adapters.checkpoint_store.is_none();
    PostgresUse {
        catalog: serves_catalog && config.catalog.store == CatalogStore::Postgres,
        checkpoints: keeps_checkpoints
            && config.queue.checkpoint.store == CheckpointStoreKind::Postgres,
    }
}

/// Opens the database if any store uses it.
pub(crate) async fn database(
    config: &Config,
    uses: PostgresUse,
    meters: &Meters,
) -> Result<Option<Database>, StartError> {
    if !uses.catalog && !uses.checkpoints {
        return Ok(None);
    }
    let section = &config.postgres;
    let postgres = Postgres::open(section.address()?, section.limits(), &section.pool.settings())?;
    metrics::watch_postgres_pool(meters, &postgres);
    serve_what_is_there(check_schema(&postgres).await)?;
    // Its health depends on what it stores.
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
