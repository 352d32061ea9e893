//! Through a real PgBouncer, in both of its pool modes.

use std::sync::Arc;
use std::time::Duration;

use adapter_postgres::{
    PoolSettings, Pooler, Postgres, PostgresAddress, PostgresCatalog, PostgresDependency,
    PostgresUse, SessionLimits, SetupError, check_schema, migrate, revert_last, seed,
};
use domain::concert::{ConcertCatalog as _, PageNumber, PageRequest, PageSize};
use domain::sample_catalog::{SampleConcert, SampleSize, concerts};
use domain::{HealthCheck as _, PortError, PortErrorKind};
use test_support::{Database, Durability, PgBouncer, PgBouncerSetup, PoolMode, PostgresBinaries};
use tokio::task::JoinSet;

use crate::support::{
    CONNECT, LIMITS, POOL, address, address_through, bouncer, database, eventually,
};

const MODES: [PoolMode; 2] = [PoolMode::Session, PoolMode::Transaction];

const SHORT: Duration = Duration::from_millis(400);

fn sample(count: u32) -> Vec<SampleConcert> {
    concerts(SampleSize::of_concerts(count), "2026-05-04T12:00:00Z".parse().unwrap()).collect()
}

fn open(address: &PostgresAddress, limits: SessionLimits, settings: &PoolSettings) -> Postgres {
    Postgres::open(address.clone(), limits, settings).unwrap()
}

async fn read(catalog: &PostgresCatalog) -> Result<u64, PortError> {
    let request =
        PageRequest { number: PageNumber::new(1).unwrap(), size: PageSize::new(10).unwrap() };
    catalog.page(request).await.map(|page| page.total)
}

fn advisory_locks(database: &Database) -> String {
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    database.sql(locks).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_and_the_sample_can_be_repeated_and_leave_no_lock() {
    for mode in MODES {
        let database = Database::empty().unwrap();
        let bouncer = bouncer(mode, &database);
        let address = address_through(&bouncer, mode, &database);
        let applied = migrate(address.clone(), CONNECT).await.unwrap();
        assert_eq!(applied.len(), 3, "{mode:?}: {applied:?}");
        assert!(migrate(address.clone(), CONNECT).await.unwrap().is_empty(), "{mode:?}");
        let last = revert_last(address.clone(), CONNECT).await.unwrap();
        assert_eq!(migrate(address.clone(), CONNECT).await.unwrap(), [last], "{mode:?}");
        for added in [40, 0] {
            let seeded = seed(address.clone(), CONNECT, sample(40), |_| {}).await.unwrap();
            assert_eq!((seeded.added, seeded.there), (added, 40 - added), "{mode:?}");
        }
        eventually("no lock is left", async || advisory_locks(&database) == "0").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrators_and_seeders_exclude_each_other_however_they_connect() {
    let database = Database::empty().unwrap();
    let bouncers = MODES.map(|mode| (bouncer(mode, &database), mode));
    let through =
        bouncers.each_ref().map(|(bouncer, mode)| address_through(bouncer, *mode, &database));
    let addresses: Vec<_> = through.into_iter().chain([address(&database.url())]).collect();
    let mut migrators = JoinSet::new();
    for _ in 0..3 {
        for address in &addresses {
            migrators.spawn(migrate(address.clone(), CONNECT));
        }
    }
    let applied = migrators.join_all().await.into_iter().map(|names| names.unwrap().len());
    assert_eq!(applied.sum::<usize>(), 3);
    let mut seeders = JoinSet::new();
    for address in addresses {
        seeders.spawn(seed(address, CONNECT, sample(600), |_| {}));
    }
    let added: Vec<_> =
        seeders.join_all().await.into_iter().map(|seeded| seeded.unwrap().added).collect();
    assert_eq!(added.iter().sum::<u64>(), 600);
    assert!(added.contains(&600), "one of them does it all: {added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeder_that_ends_early_leaves_no_lock() {
    let database = database();
    for mode in MODES {
        let bouncer = bouncer(mode, &database);
        let address = address_through(&bouncer, mode, &database);
        let table = database.hold("LOCK TABLE concerts").unwrap();
        let seeding = tokio::spawn(seed(address, CONNECT, sample(40), |_| {}));
        let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'concerts'::regclass \
                     AND NOT granted";
        eventually("it waits for the table", async || database.sql(waits).unwrap() == "1").await;
        assert_eq!(advisory_locks(&database), "1", "{mode:?}");
        seeding.abort();
        assert!(seeding.await.unwrap_err().is_cancelled());
        drop(table);
        eventually("no lock is left", async || advisory_locks(&database) == "0").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_concurrent_reads_all_succeed() {
    let database = database();
    seed(address(&database.url()), CONNECT, sample(40), |_| {}).await.unwrap();
    for mode in MODES {
        // Fewer connections to the server than to the pooler.
        let setup = PgBouncerSetup::new(mode).user("postgres", "pw").line(match mode {
            PoolMode::Session => "default_pool_size = 8",
            PoolMode::Transaction => "default_pool_size = 3",
        });
        let bouncer = PgBouncer::start(&setup, database.server_address().unwrap()).unwrap();
        let address = address_through(&bouncer, mode, &database);
        let settings = PoolSettings { size: 8, max_waiting: 3_000, ..POOL };
        let postgres = open(&address, LIMITS, &settings);
        check_schema(&open(&address, LIMITS, &PoolSettings { size: 1, ..POOL })).await.unwrap();
        let catalog = Arc::new(PostgresCatalog::new(postgres));
        let mut reads = JoinSet::new();
        for _ in 0..3_000 {
            let catalog = Arc::clone(&catalog);
            reads.spawn(async move { read(&catalog).await });
        }
        let totals: Result<Vec<_>, _> = reads.join_all().await.into_iter().collect();
        assert_eq!(totals.unwrap(), vec![40; 3_000], "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_hold_and_do_not_leak_to_other_clients_of_the_pooler() {
    let database = database();
    for mode in MODES {
        let setup = PgBouncerSetup::new(mode).user("postgres", "pw").line("default_pool_size = 1");
        let bouncer = PgBouncer::start(&setup, database.server_address().unwrap()).unwrap();
        let address = address_through(&bouncer, mode, &database);
        let one = PoolSettings { size: 1, ..POOL };
        let limits = SessionLimits { statement: SHORT, lock: SHORT, ..LIMITS };
        let postgres = open(&address, limits, &one);
        let catalog = PostgresCatalog::new(postgres.clone());
        read(&catalog).await.unwrap();
        let lock = database.hold("LOCK TABLE concerts").unwrap();
        let late = read(&catalog).await.unwrap_err();
        assert_eq!(late.kind(), PortErrorKind::Timeout, "{mode:?}: {late:?}");
        drop(lock);
        read(&catalog).await.unwrap();
        assert_eq!(postgres.state().connections, 1, "{mode:?}: the connection still serves");
        drop((catalog, postgres));
        let mut psql = database.command("psql");
        psql.args(["--tuples-only", "--no-align", "--command", "SHOW statement_timeout"]);
        psql.arg(bouncer.url("postgres:pw", database.name()));
        let output = tokio::task::spawn_blocking(move || psql.output()).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "{mode:?}");
    }
}

async fn refusal(address: PostgresAddress) -> SetupError {
    let limits = SessionLimits { connect: Duration::from_secs(5), ..LIMITS };
    let error = check_schema(&open(&address, limits, &POOL)).await.unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_user_or_database_is_no_outage() {
    let database = database();
    let (guarded, absent) =
        (format!("guarded_{}", database.name()), format!("absent_{}", database.name()));
    let role = format!("CREATE ROLE {guarded} LOGIN PASSWORD 'right' IN ROLE with_password");
    database.sql(&role).unwrap();
    for mode in MODES {
        let setup = PgBouncerSetup::new(mode)
            .user("postgres", "pw")
            .user(&guarded, "hunter2")
            .user(&absent, "hunter2");
        let server = database.server_address().unwrap();
        let bouncer = PgBouncer::start(&setup, server).unwrap();
        let pooler = match mode {
            PoolMode::Session => Pooler::Session,
            PoolMode::Transaction => Pooler::Transaction,
        };
        let through =
            |user: &str, database: &str| address(&bouncer.url(user, database)).behind(pooler);
        let cases = [
            ("postgres:hunter2", database.name(), "authentication failed"),
            ("nobody:hunter2", database.name(), "authentication failed"),
            // The pooler knows these, and the server does not.
            (&format!("{guarded}:hunter2"), database.name(), "password authentication failed"),
            (&format!("{absent}:hunter2"), database.name(), "does not exist"),
            ("postgres:pw", "hunter", "there is no database \"hunter\""),
        ];
        for (user, name, expected) in cases {
            let error = refusal(through(user, name)).await;
            let is_named = error.to_string().contains(expected);
            assert!(!error.is_transient() && is_named, "{mode:?} {user}: {error}");
            assert!(error.to_string().starts_with("Postgres at "), "{error}");
        }
    }
    database.sql(&format!("DROP ROLE {guarded}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_is_not_what_it_is_taken_for_is_refused_with_the_remedy() {
    let database = database();
    let server = database.server_address().unwrap();
    for mode in MODES {
        let ignoring = PgBouncerSetup::new(mode)
            .user("postgres", "pw")
            .line("ignore_startup_parameters = options");
        for (bouncer, why) in [
            (bouncer(mode, &database), "unsupported startup parameter"),
            (PgBouncer::start(&ignoring, server).unwrap(), "it ignored the startup options"),
        ] {
            let plain = address(&bouncer.url("postgres:pw", database.name()));
            let error = refusal(plain.clone()).await;
            let line = error.to_string();
            assert!(!error.is_transient() && line.contains(why), "{line}");
            assert!(line.contains("set `postgres.pooler`"), "{line}");
            let error = migrate(plain, CONNECT).await.unwrap_err();
            assert_eq!(error.to_string(), line, "before it takes a lock");
        }
    }
    let bouncer = bouncer(PoolMode::Transaction, &database);
    let by_session = address_through(&bouncer, PoolMode::Session, &database);
    let error = refusal(by_session).await;
    assert!(matches!(error, SetupError::SharedServer { .. }), "{error:?}");
    assert_eq!(advisory_locks(&database), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_pooler_serves_again() {
    let database = database();
    for mode in MODES {
        let mut bouncer = bouncer(mode, &database);
        let address = address_through(&bouncer, mode, &database);
        let catalog = PostgresCatalog::new(open(&address, LIMITS, &POOL));
        read(&catalog).await.unwrap();
        bouncer.kill().unwrap();
        let down = read(&catalog).await.unwrap_err();
        assert_eq!(down.kind(), PortErrorKind::Unavailable, "{mode:?}: {down:?}");
        bouncer.restart().unwrap();
        eventually("it serves", async || read(&catalog).await.is_ok()).await;
        // A connection of before is replaced without an error.
        bouncer.restart().unwrap();
        eventually("it serves", async || read(&catalog).await.is_ok()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_lost_behind_the_pooler_is_reported_down_until_it_is_back() {
    let binaries = PostgresBinaries::find().unwrap();
    // It is killed, and must keep its tables.
    let server = test_support::Postgres::start(binaries, Durability::Full).unwrap();
    migrate(address(&server.url("postgres")), CONNECT).await.unwrap();
    for mode in MODES {
        // Seconds without attempts after a failed login; the default is 15.
        let setup = PgBouncerSetup::new(mode).user("postgres", "pw").line("server_login_retry = 1");
        let bouncer = PgBouncer::start(&setup, server.address()).unwrap();
        let pooler = match mode {
            PoolMode::Session => Pooler::Session,
            PoolMode::Transaction => Pooler::Transaction,
        };
        let address = address(&bouncer.url("postgres:pw", "postgres")).behind(pooler);
        let limits = SessionLimits { connect: SHORT, statement: SHORT, lock: SHORT, ..LIMITS };
        let postgres = open(&address, limits, &POOL);
        let health = PostgresDependency::new(
            postgres.clone(),
            PostgresUse { catalog: true, checkpoints: true },
        );
        let catalog = PostgresCatalog::new(postgres);
        eventually("it is up", async || health.check().await.is_ok()).await;
        server.kill().unwrap();
        for _ in 0..3 {
            let down = health.check().await.unwrap_err();
            let is_outage =
                matches!(down.kind(), PortErrorKind::Unavailable | PortErrorKind::Timeout);
            assert!(is_outage, "{mode:?}: {down:?}");
            read(&catalog).await.unwrap_err();
        }
        let error = check_schema(&open(&address, limits, &POOL)).await.unwrap_err();
        assert!(error.is_transient(), "the service starts without it: {error}");
        server.restart().unwrap();
        eventually("it is up again", async || health.check().await.is_ok()).await;
        read(&catalog).await.unwrap();
    }
}
