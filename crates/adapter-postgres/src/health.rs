//! Whether the database answers, and with the schema this program needs.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use diesel_async::SimpleAsyncConnection as _;
use domain::{Dependency, PortError, PortErrorKind};

use crate::error::POSTGRES;
use crate::migrate::check_schema;
use crate::pool::Postgres;

/// The database as something the service depends on.
pub struct PostgresDependency {
    postgres: Postgres,
    /// A database that was down at the start may come up with a schema that is too old.
    schema_is_known_good: AtomicBool,
}

impl PostgresDependency {
    /// The dependency behind a pool.
    #[must_use]
    pub fn new(postgres: Postgres) -> Self {
        Self { postgres, schema_is_known_good: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Dependency for PostgresDependency {
    fn name(&self) -> &'static str {
        POSTGRES
    }

    async fn check(&self) -> Result<(), PortError> {
        if !self.schema_is_known_good.load(Ordering::Relaxed) {
            check_schema(&self.postgres).await?;
            self.schema_is_known_good.store(true, Ordering::Relaxed);
        }
        match self.postgres.ask(|connection| Box::pin(connection.batch_execute("SELECT 1"))).await {
            // It answers, if not everybody.
            Err(error) if error.kind() == PortErrorKind::Overloaded => Ok(()),
            answer => answer,
        }
    }
}
