//! Faults of a real database and of the network to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_postgres::{
    PoolSettings, PostgresCatalog, PostgresDependency, PostgresUse, SessionLimits,
};
use domain::concert::ConcertId;
use domain::sample_catalog::{SHOWCASE, SampleSize, concerts};
use domain::schedule::ScheduleBook as _;
use domain::{Dependency, HealthCheck as _, PortError, PortErrorKind, Timestamp};
use futures_util::FutureExt as _;
use test_support::{Database, Durability, FaultProxy, Postgres, PostgresBinaries};

use crate::support::{
    LIMIT, LIMITS, POOL, address, block_on, database, eventually, fill, open_with, pool,
};

/// Short enough to wait for, long enough for a busy machine to answer.
const SHORT: Duration = Duration::from_secs(2);

/// Short waits, and one connection fewer than the number of calls.
const SHORT_WAITS: PoolSettings = PoolSettings { size: 2, acquire: SHORT, ..POOL };

fn noon() -> Timestamp {
    "2026-05-04T12:00:00Z".parse().unwrap()
}

/// A database with the showcase concert.
async fn filled() -> Database {
    let database = database();
    fill(&database.url(), concerts(SampleSize::of_concerts(500), noon()).collect()).await;
    database
}

async fn showcase(catalog: &PostgresCatalog) -> Result<usize, PortError> {
    let dates = catalog.open_dates(ConcertId::new(SHOWCASE).unwrap(), noon()).await?;
    Ok(dates.map_or(0, |dates| dates.len()))
}

async fn failure(catalog: &PostgresCatalog) -> PortErrorKind {
    showcase(catalog).await.unwrap_err().kind()
}

async fn answers_again(catalog: &PostgresCatalog) {
    eventually("reading dates succeeds again", async || showcase(catalog).await.is_ok()).await;
}

fn through(proxy: SocketAddr, database: &Database) -> String {
    format!("postgres://postgres@{proxy}/{}", database.name())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_recovers_after_the_server_is_killed_or_restarted() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::Full).unwrap();
    let url = server.url("postgres");
    adapter_postgres::migrate(address(&url), SHORT).await.unwrap();
    fill(&url, concerts(SampleSize::of_concerts(500), noon()).collect()).await;
    let catalog = open_with(&url, LIMITS, &SHORT_WAITS);
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    server.kill().unwrap();
    for _ in 0..20 {
        assert_eq!(failure(&catalog).await, PortErrorKind::Unavailable);
    }
    server.restart().unwrap();
    answers_again(&catalog).await;
    server.stop().unwrap();
    assert_eq!(failure(&catalog).await, PortErrorKind::Unavailable);
    server.restart().unwrap();
    answers_again(&catalog).await;
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_detects_a_cut_connection_and_recovers() {
    let database = filled().await;
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    let catalog = open_with(&through(proxy.address(), &database), LIMITS, &SHORT_WAITS);
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    proxy.cut();
    assert_eq!(failure(&catalog).await, PortErrorKind::Unavailable);
    proxy.mend();
    answers_again(&catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_fails_the_query_at_its_limit_and_is_closed() {
    let database = filled().await;
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    let limits = SessionLimits { connect: SHORT, statement: SHORT, lock: SHORT, ..LIMITS };
    let catalog = open_with(
        &through(proxy.address(), &database),
        limits,
        &PoolSettings { size: 1, ..SHORT_WAITS },
    );
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    proxy.block();
    assert_eq!(failure(&catalog).await, PortErrorKind::Timeout, "the existing connection");
    assert_eq!(
        failure(&catalog).await,
        PortErrorKind::Unavailable,
        "a new one cannot be opened either"
    );
    proxy.mend();
    answers_again(&catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_on_a_locked_table_times_out_at_the_lock_limit() {
    let database = filled().await;
    let catalog = open_with(&database.url(), SessionLimits { lock: SHORT, ..LIMITS }, &POOL);
    let lock = database.hold("LOCK TABLE schedules").unwrap();
    assert_eq!(failure(&catalog).await, PortErrorKind::Timeout);
    drop(lock);
    answers_again(&catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_cancels_a_statement_that_takes_too_long() {
    let database = filled().await;
    let catalog = open_with(&database.url(), SessionLimits { statement: SHORT, ..LIMITS }, &POOL);
    let lock = database.hold("LOCK TABLE schedules").unwrap();
    assert_eq!(failure(&catalog).await, PortErrorKind::Timeout);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                   AND application_name = 'boxoffice'";
    eventually("the server has cancelled the statement", async || {
        database.sql(waiting).unwrap() == "0"
    })
    .await;
    drop(lock);
    answers_again(&catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_and_the_time_of_waiting_calls_are_limited() {
    let database = filled().await;
    let settings = PoolSettings { size: 2, min_idle: 2, acquire: SHORT, max_waiting: 3, ..POOL };
    let catalog = Arc::new(open_with(&database.url(), LIMITS, &settings));
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    open_connections(&database, "2").await;
    let lock = database.hold("LOCK TABLE schedules").unwrap();
    let outcome: Vec<_> = (0..20)
        .map(|_| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move { showcase(&catalog).await })
        })
        .collect();
    let mut in_flight = Vec::new();
    let mut refused = 0;
    eventually("fifteen are refused at once, three after waiting", async || {
        refused = outcome.iter().filter(|task| task.is_finished()).count();
        refused == 18
    })
    .await;
    drop(lock);
    for task in outcome {
        match task.await.unwrap() {
            Ok(dates) => in_flight.push(dates),
            Err(error) => assert_eq!(error.kind(), PortErrorKind::Overloaded),
        }
    }
    assert_eq!(in_flight, vec![3, 3], "the two with a connection succeed");
    assert_eq!(refused, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_calls_leave_no_connection_broken_or_leaked() {
    let database = filled().await;
    let catalog = Arc::new(open_with(&database.url(), LIMITS, &POOL));
    for _ in 0..5 {
        let lock = database.hold("LOCK TABLE schedules").unwrap();
        let askers: Vec<_> = (0..50)
            .map(|_| {
                let catalog = Arc::clone(&catalog);
                tokio::spawn(async move { showcase(&catalog).await })
            })
            .collect();
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("queries wait for the lock", async || database.sql(waiting).unwrap() == "4")
            .await;
        askers.iter().for_each(tokio::task::JoinHandle::abort);
        drop(lock);
    }
    let many = (0..200).map(|_| showcase(&catalog));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.unwrap(), 3);
    }
    let open: u32 = database.sql(&format!("SELECT count(*) {OURS}")).unwrap().parse().unwrap();
    assert!((1..=POOL.size).contains(&open), "{open}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_cancelled_while_waiting_free_their_place() {
    let database = filled().await;
    let settings =
        PoolSettings { size: 1, acquire: Duration::from_secs(600), max_waiting: 1, ..POOL };
    let catalog = Arc::new(open_with(&database.url(), LIMITS, &settings));
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    let run = || {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move { showcase(&catalog).await })
    };
    let lock = database.hold("LOCK TABLE schedules").unwrap();
    let asking = run();
    let held_up = format!("SELECT count(*) {OURS} AND wait_event_type = 'Lock'");
    eventually("one waits for the lock", async || database.sql(&held_up).unwrap() == "1").await;
    let mut waiting = run();
    eventually("no place is left", async || {
        // Checking whether there is a place briefly occupies one.
        if waiting.is_finished() {
            waiting = run();
        }
        let probe = catalog.open_dates(ConcertId::new(1).unwrap(), noon()).now_or_never();
        probe.is_some_and(|answer| answer.is_err())
    })
    .await;
    waiting.abort();
    let mut next = run();
    eventually("another call waits in the freed place", async || {
        let is_waiting = tokio::time::timeout(Duration::from_millis(50), &mut next).await.is_err();
        if !is_waiting {
            next = run();
        }
        is_waiting
    })
    .await;
    drop(lock);
    assert_eq!((asking.await.unwrap().unwrap(), next.await.unwrap().unwrap()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_people_share_ten_connections() {
    let database = filled().await;
    let settings = PoolSettings { size: 10, ..POOL };
    let catalog = Arc::new(open_with(&database.url(), LIMITS, &settings));
    let people = (0..600).map(|_| {
        let catalog = Arc::clone(&catalog);
        tokio::spawn(async move {
            for _ in 0..5 {
                assert_eq!(showcase(&catalog).await.unwrap(), 3);
            }
        })
    });
    for person in futures_util::future::join_all(people).await {
        person.unwrap();
    }
}

/// The pool's open connections, as the server sees them.
const OURS: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'boxoffice'";

async fn open_connections(database: &Database, expected: &str) {
    let count = format!("SELECT count(*) {OURS}");
    eventually(&format!("{expected} are open"), async || database.sql(&count).unwrap() == expected)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed() {
    let database = filled().await;
    let settings = PoolSettings { idle: Duration::from_secs(1), min_idle: 0, ..POOL };
    let catalog = open_with(&database.url(), LIMITS, &settings);
    for answer in futures_util::future::join_all((0..50).map(|_| showcase(&catalog))).await {
        answer.unwrap();
    }
    open_connections(&database, "0").await;
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_their_lifetime_are_replaced() {
    let database = filled().await;
    let settings = PoolSettings { lifetime: Duration::from_secs(1), min_idle: 1, size: 1, ..POOL };
    let catalog = open_with(&database.url(), LIMITS, &settings);
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
    let first = database.sql(&format!("SELECT min(pid) {OURS}")).unwrap();
    let another = format!("SELECT count(*) {OURS} AND pid <> {first}");
    eventually("another connection replaced it", async || database.sql(&another).unwrap() == "1")
        .await;
    assert_eq!(showcase(&catalog).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_down_all_calls_fail_at_once_with_the_cause() {
    let database = filled().await;
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    proxy.cut();
    // A wait longer than the test may take.
    let settings = PoolSettings { acquire: Duration::from_secs(600), ..SHORT_WAITS };
    let catalog = open_with(&through(proxy.address(), &database), LIMITS, &settings);
    let outcome = futures_util::future::join_all((0..200).map(|_| failure(&catalog)));
    let kinds = tokio::time::timeout(LIMIT, outcome).await.unwrap();
    assert!(kinds.iter().all(|kind| *kind == PortErrorKind::Unavailable), "{kinds:?}");
    proxy.mend();
    answers_again(&catalog).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dependency_is_down_until_the_database_is_up_and_migrated() {
    let database = Database::empty().unwrap();
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    proxy.cut();
    let pool = pool(&through(proxy.address(), &database), LIMITS, &SHORT_WAITS);
    let dependency =
        PostgresDependency::new(pool, PostgresUse { catalog: true, checkpoints: true });
    let cause = async || {
        let error = dependency.check().await.unwrap_err();
        assert_eq!(
            (dependency.name(), error.kind()),
            (Dependency::POSTGRES, PortErrorKind::Unavailable)
        );
        std::error::Error::source(&error).unwrap().to_string()
    };
    assert!(cause().await.contains("cannot be reached"));
    proxy.mend();
    assert!(cause().await.contains("run `boxoffice migrate`"));
    let url = database.url();
    block_on(async move { adapter_postgres::migrate(address(&url), SHORT).await }).unwrap();
    eventually("it is up", async || dependency.check().await.is_ok()).await;
    proxy.cut();
    eventually("it is down", async || dependency.check().await.is_err()).await;
}
