//! Applies and reverts migrations, and checks the schema version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::connection::BoxableConnection;
use diesel::migration::{
    Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion,
};
use diesel::pg::Pg;
use diesel_async::AsyncMigrationHarness;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::address::PostgresAddress;
use crate::advisory_lock::{self, Work};
use crate::connection::{Connection, Statements};
use crate::error::SetupError;
use crate::limits::SessionLimits;
use crate::pool::Postgres;
use crate::pooler_check;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Also held by an import.
pub(crate) const MIGRATION_LOCK: i64 = 0x626f_786f_6666_6963;

const MIGRATING: Work = Work { who: "migration or import", lock: MIGRATION_LOCK };

const LIMITS: SessionLimits = SessionLimits {
    connect: Duration::ZERO,
    // For one statement, such as creating an index on a large table.
    statement: Duration::from_secs(3_600),
    // How long a migration waits for a table in use. Queries for the table queue behind the waiting
    // migration, so this is short; a migration that times out is run again.
    lock: Duration::from_secs(5),
    idle_in_transaction: Duration::ZERO,
};

/// Applies all pending migrations and returns their names. Only one migrator runs at a time. Must
/// be called on a multi-threaded runtime.
///
/// # Errors
/// [`SetupError`]; migrations before the failed one stay applied.
pub async fn migrate(
    address: PostgresAddress,
    connect: Duration,
) -> Result<Vec<String>, SetupError> {
    let run = |harness: &mut Harness| {
        Ok(harness.run_pending_migrations(LimitedMigrations)?.iter().map(name_of).collect())
    };
    as_the_only_one(&address, connect, run).await
}

/// Reverts the last applied migration, including its data, and returns its name.
///
/// # Errors
/// [`SetupError`], also if there is none.
pub async fn revert_last(
    address: PostgresAddress,
    connect: Duration,
) -> Result<String, SetupError> {
    let revert =
        |harness: &mut Harness| Ok(name_of(&harness.revert_last_migration(LimitedMigrations)?));
    as_the_only_one(&address, connect, revert).await
}

/// The folder of a migration, or its version if this program does not have it.
fn name_of(version: &MigrationVersion<'_>) -> String {
    let version = version.to_string();
    known().remove(&version).unwrap_or(version)
}

type Harness = AsyncMigrationHarness<Connection>;

/// Runs the work on the connection that holds the lock.
async fn as_the_only_one<T>(
    address: &PostgresAddress,
    connect: Duration,
    work: impl FnOnce(&mut Harness) -> diesel::migration::Result<T>,
) -> Result<T, SetupError> {
    let limits = SessionLimits { connect, ..LIMITS };
    let (client, _lock) = advisory_lock::lock(address, limits, MIGRATING).await?;
    let connection = Connection::new(client, Statements::Unnamed);
    work(&mut Harness::new(connection)).map_err(|error| SetupError::failed(address, error))
}

/// The migrations, each with the limits inside of its transaction: behind a pooler in transaction
/// mode the session has none. There, a migration that runs outside of a transaction has the limits
/// of the role.
struct LimitedMigrations;

impl MigrationSource<Pg> for LimitedMigrations {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations()?;
        let limited = migrations.into_iter().map(|migration| Box::new(Limited(migration)) as _);
        Ok(limited.collect())
    }
}

struct Limited(Box<dyn Migration<Pg>>);

impl Limited {
    fn limit(&self, connection: &mut dyn BoxableConnection<Pg>) -> diesel::migration::Result<()> {
        if self.0.metadata().run_in_transaction() {
            connection.batch_execute(&LIMITS.for_the_transaction())?;
        }
        Ok(())
    }
}

impl Migration<Pg> for Limited {
    fn run(&self, connection: &mut dyn BoxableConnection<Pg>) -> diesel::migration::Result<()> {
        self.limit(connection)?;
        self.0.run(connection)
    }

    fn revert(&self, connection: &mut dyn BoxableConnection<Pg>) -> diesel::migration::Result<()> {
        self.limit(connection)?;
        self.0.revert(connection)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self.0.metadata()
    }

    fn name(&self) -> &dyn MigrationName {
        self.0.name()
    }
}

/// Checks that a database can serve this program: it answers, every migration this program knows is
/// applied, and the user may read the tables. A newer schema is fine, because migrations keep the
/// previous version working. Takes at most the pool's connect and statement timeouts.
///
/// # Errors
/// [`SetupError`].
pub async fn check_schema(postgres: &Postgres) -> Result<(), SetupError> {
    let connector = postgres.connector();
    let (address, (client, _driver)) = (connector.address(), connector.connect().await?);
    let checks = async {
        pooler_check::check(connector, &client).await?;
        check_applied(&client, address).await?;
        let readable = client
            .batch_execute("SELECT FROM concerts LIMIT 0; SELECT FROM schedules LIMIT 0")
            .await;
        readable.map_err(|error| SetupError::of(&error, address))
    };
    let late =
        |_| Err(SetupError::unreachable(address, "no answer within postgres.statement_timeout"));
    timeout(connector.limits().answer(), checks).await.unwrap_or_else(late)
}

/// Checks that every migration this program knows is applied.
pub(crate) async fn check_applied(
    client: &Client,
    address: &PostgresAddress,
) -> Result<(), SetupError> {
    let applied = applied(client, address).await?;
    match known().into_iter().find(|(version, _)| !applied.contains(version)) {
        Some((_, missing)) => Err(SetupError::SchemaTooOld { at: address.to_string(), missing }),
        None => Ok(()),
    }
}

/// The migrations built into this program, oldest first: folder by version.
fn known() -> BTreeMap<String, String> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap_or_default();
    let names = migrations.iter().map(|migration| Migration::name(migration.as_ref()));
    names.map(|name| (name.version().to_string(), name.to_string())).collect()
}

async fn applied(
    client: &Client,
    address: &PostgresAddress,
) -> Result<BTreeSet<String>, SetupError> {
    let rows = client.query_typed("SELECT version FROM __diesel_schema_migrations", &[]).await;
    match rows {
        Ok(rows) => Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect()),
        // Without the table, no migration has ever been applied.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(BTreeSet::new()),
        Err(error) => Err(SetupError::of(&error, address)),
    }
}
