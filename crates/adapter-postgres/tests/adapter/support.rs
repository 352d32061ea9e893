//! Databases with the schema, and pools on them.

use std::time::Duration;

use adapter_postgres::{
    PoolSettings, Pooler, Postgres, PostgresAddress, PostgresCatalog, SessionLimits, migrate, seed,
};
use domain::sample_catalog::SampleConcert;
use test_support::{Database, PgBouncer, PgBouncerSetup, PoolMode};

pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// The longest a test waits for a condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Generous limits: a test about a limit sets its own.
pub(crate) const LIMITS: SessionLimits = SessionLimits {
    connect: CONNECT,
    statement: Duration::from_secs(10),
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::from_secs(10),
};

pub(crate) const POOL: PoolSettings = PoolSettings {
    size: 4,
    min_idle: 0,
    acquire: Duration::from_secs(10),
    max_waiting: 1_000,
    idle: Duration::from_secs(60),
    lifetime: Duration::from_secs(60),
};

/// Runs a future to completion from anywhere, even inside another runtime.
pub(crate) fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let run = || tokio::runtime::Runtime::new().unwrap().block_on(future);
    std::thread::spawn(run).join().unwrap()
}

pub(crate) fn address(url: &str) -> PostgresAddress {
    PostgresAddress::parse(url).unwrap()
}

/// An empty database with the schema.
pub(crate) fn database() -> Database {
    let with_schema = |url: &str| {
        let migrated = block_on(migrate(address(url), CONNECT));
        migrated.map(drop).map_err(|error| error.to_string())
    };
    Database::create(with_schema).unwrap()
}

pub(crate) async fn fill(url: &str, concerts: Vec<SampleConcert>) {
    seed(address(url), CONNECT, concerts, |_| {}).await.unwrap();
}

pub(crate) fn open_with(url: &str, limits: SessionLimits, pool: &PoolSettings) -> PostgresCatalog {
    PostgresCatalog::new(self::pool(url, limits, pool))
}

pub(crate) fn pool(url: &str, limits: SessionLimits, settings: &PoolSettings) -> Postgres {
    Postgres::open(address(url), limits, settings).unwrap()
}

/// A pooler in front of the server of this database, which lets the superuser in.
pub(crate) fn bouncer(mode: PoolMode, database: &Database) -> PgBouncer {
    let setup = PgBouncerSetup::new(mode).user("postgres", "pw");
    PgBouncer::start(&setup, database.server_address().unwrap()).unwrap()
}

/// The address of this database through the pooler, as the superuser.
pub(crate) fn address_through(
    bouncer: &PgBouncer,
    mode: PoolMode,
    database: &Database,
) -> PostgresAddress {
    let pooler = match mode {
        PoolMode::Session => Pooler::Session,
        PoolMode::Transaction => Pooler::Transaction,
    };
    address(&bouncer.url("postgres:pw", database.name())).behind(pooler)
}

/// Polls until the condition holds, and fails after a limit.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let limit = tokio::time::Instant::now() + LIMIT;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < limit, "not within {LIMIT:?}: {what}");
        // Most conditions start a process.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
