//! Health check: whether the database can serve the service's statements.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use domain::{Dependency, HealthCheck, PortError, PortErrorKind};

use crate::checkpoint::PostgresCheckpoints;
use crate::concert::PostgresCatalog;
use crate::migrate::check_schema;
use crate::pool::Postgres;

/// What the service uses the database for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PostgresUse {
    /// Reads concerts and their dates.
    pub catalog: bool,
    /// Reads and writes queue checkpoints.
    pub checkpoints: bool,
}

/// The health check of the database. It is up if the service's own statements succeed over the same
/// pool. They run in sequence, with as little data as possible, and the write changes no row.
pub struct PostgresDependency {
    postgres: Postgres,
    catalog: Option<PostgresCatalog>,
    checkpoints: Option<PostgresCheckpoints>,
    /// A database that was down at startup may come up with an outdated schema.
    schema_is_known_good: AtomicBool,
}

impl PostgresDependency {
    /// Creates the check of a pool, for what it is used for.
    #[must_use]
    pub fn new(postgres: Postgres, uses: PostgresUse) -> Self {
        Self {
            catalog: uses.catalog.then(|| PostgresCatalog::new(postgres.clone())),
            checkpoints: uses.checkpoints.then(|| PostgresCheckpoints::new(postgres.clone())),
            postgres,
            schema_is_known_good: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl HealthCheck for PostgresDependency {
    fn name(&self) -> Dependency {
        Dependency::POSTGRES
    }

    async fn check(&self) -> Result<(), PortError> {
        if !self.schema_is_known_good.load(Ordering::Relaxed) {
            check_schema(&self.postgres).await?;
            self.schema_is_known_good.store(true, Ordering::Relaxed);
        }
        if let Some(catalog) = &self.catalog {
            unless_busy(catalog.check().await)?;
        }
        if let Some(checkpoints) = &self.checkpoints {
            unless_busy(checkpoints.check().await)?;
        }
        Ok(())
    }
}

/// A full pool means that the database answers other calls.
fn unless_busy(checked: Result<(), PortError>) -> Result<(), PortError> {
    match checked {
        Err(error) if error.kind() == PortErrorKind::Overloaded => Ok(()),
        checked => checked,
    }
}
