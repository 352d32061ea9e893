//! Bringing the schema up and down, and knowing which one is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::address::Address;
use crate::connect::Connector;
use crate::error::SetupError;
use crate::pool::Postgres;
use crate::session::{Driver, SessionLimits};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// The advisory lock one migrator holds. Any number will do as long as it stays the same; a lock is of one database.
const MIGRATOR: i64 = 0x626f_786f_6666_6963;

/// How long a migrator waits for another one: longer than any migration is meant to take.
const WAIT_FOR_ANOTHER: Duration = Duration::from_secs(120);

/// How long a migration waits for a table others use. Whatever asks for the table meanwhile queues up behind it, so this
/// is short; a migration that fails for this is run again.
const WAIT_FOR_A_TABLE: Duration = Duration::from_secs(5);

/// Applies every migration that is not applied yet, one migrator at a time, and returns their names. Must be called on a
/// runtime with several threads.
///
/// # Errors
/// [`SetupError`]; migrations before the one that failed stay applied.
pub async fn migrate(address: Address, connect: Duration) -> Result<Vec<String>, SetupError> {
    let migrator = Migrator::lock(address, connect).await?;
    let run =
        |harness: &mut Harness| Ok(harness.run_pending_migrations(MIGRATIONS)?.iter().map(name_of).collect());
    migrator.work(run).await.map_err(|why| SetupError::failed(&migrator.address, why))
}

/// Takes back the migration applied last, data and all, and returns its name.
///
/// # Errors
/// [`SetupError`], also when there is none.
pub async fn revert_last(address: Address, connect: Duration) -> Result<String, SetupError> {
    let migrator = Migrator::lock(address, connect).await?;
    let revert = |harness: &mut Harness| Ok(name_of(&harness.revert_last_migration(MIGRATIONS)?));
    migrator.work(revert).await.map_err(|why| SetupError::failed(&migrator.address, why))
}

/// The folder a migration is in; its version where this program does not have it.
fn name_of(version: &MigrationVersion<'_>) -> String {
    let version = version.to_string();
    known().remove(&version).unwrap_or(version)
}

type Harness = AsyncMigrationHarness<AsyncPgConnection>;

/// A connection that holds the migrator's lock; the lock ends with it.
struct Migrator {
    connector: Connector,
    address: Address,
    /// Held, not used.
    _lock: (Client, Driver),
}

impl Migrator {
    async fn lock(address: Address, connect: Duration) -> Result<Self, SetupError> {
        let connector = |lock| {
            let idle_in_transaction = Duration::ZERO;
            let limits = SessionLimits { connect, statement: Duration::ZERO, lock, idle_in_transaction };
            Connector::new(address.clone(), limits)
        };
        let (client, driver) = connector(WAIT_FOR_ANOTHER)?.connect().await?;
        let locked = client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATOR]).await;
        locked.map_err(|error| SetupError::of(&error, &address))?;
        Ok(Self { connector: connector(WAIT_FOR_A_TABLE)?, address, _lock: (client, driver) })
    }

    /// Works on a connection of its own, since diesel takes it over.
    async fn work<T>(
        &self,
        work: impl FnOnce(&mut Harness) -> diesel::migration::Result<T>,
    ) -> diesel::migration::Result<T> {
        let (client, _driver) = self.connector.connect().await?;
        let mut harness = Harness::new(AsyncPgConnection::try_from(client).await?);
        work(&mut harness)
    }
}

/// Checks that a database can serve this program: it answers, every migration this program knows is applied, and the
/// user may read what is to be read. A newer schema is fine: migrations keep the version before working.
///
/// # Errors
/// [`SetupError`].
pub async fn check_schema(postgres: &Postgres) -> Result<(), SetupError> {
    let (client, _driver) = postgres.connector().connect().await?;
    let address = postgres.address();
    let applied = applied(&client, address).await?;
    if let Some((_, missing)) = known().into_iter().find(|(version, _)| !applied.contains(version)) {
        return Err(SetupError::SchemaTooOld { at: address.to_string(), missing });
    }
    let readable = client.batch_execute("SELECT FROM concerts LIMIT 0; SELECT FROM schedules LIMIT 0").await;
    readable.map_err(|error| SetupError::of(&error, address))
}

/// The migrations this program was built with, oldest first: the folder of each by its version.
fn known() -> BTreeMap<String, String> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().unwrap_or_default();
    let names = migrations.iter().map(|migration| Migration::name(migration.as_ref()));
    names.map(|name| (name.version().to_string(), name.to_string())).collect()
}

async fn applied(client: &Client, address: &Address) -> Result<BTreeSet<String>, SetupError> {
    let rows = client.query("SELECT version FROM __diesel_schema_migrations", &[]).await;
    match rows {
        Ok(rows) => Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect()),
        // No table: no migration has ever been applied.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(BTreeSet::new()),
        Err(error) => Err(SetupError::of(&error, address)),
    }
}
