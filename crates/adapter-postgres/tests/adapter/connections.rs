//! Connection errors do not become call errors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use adapter_postgres::{
    PoolSettings, Postgres as Pool, PostgresCatalog, PostgresCheckpoints, SessionLimits,
};
use domain::concert::{ConcertCatalog as _, ConcertId, PageNumber, PageRequest, PageSize};
use domain::queue::{Checkpoint, CheckpointStore as _, QueueCounters, QueueId};
use domain::sample_catalog::{SHOWCASE, SampleSize, concerts};
use domain::schedule::ScheduleBook as _;
use domain::{PortError, PortErrorKind, Timestamp};
use futures_util::future::{BoxFuture, join_all, try_join_all};
use test_support::{Database, Durability, Postgres, PostgresBinaries};
use tokio::task::JoinHandle;

use crate::pooler::Pooler;
use crate::support::{CONNECT, LIMITS, POOL, address, database, eventually, fill, pool};

/// Connections are opened on demand only.
const SETTINGS: PoolSettings = PoolSettings { size: 4, min_idle: 0, ..POOL };

fn noon() -> Timestamp {
    "2026-05-04T12:00:00Z".parse().unwrap()
}

async fn filled() -> Database {
    let database = database();
    fill(&database.url(), concerts(SampleSize::of_concerts(500), noon()).collect()).await;
    database
}

/// Every call the service makes.
#[derive(Clone)]
struct Asker {
    catalog: PostgresCatalog,
    checkpoints: PostgresCheckpoints,
}

impl Asker {
    fn of(pool: &Pool) -> Self {
        let (catalog, checkpoints) =
            (PostgresCatalog::new(pool.clone()), PostgresCheckpoints::new(pool.clone()));
        Self { catalog, checkpoints }
    }

    async fn page(&self) -> Result<(), PortError> {
        let request =
            PageRequest { number: PageNumber::new(1).unwrap(), size: PageSize::new(10).unwrap() };
        let page = self.catalog.page(request).await?;
        assert_eq!((page.concerts.len(), page.total), (10, 500));
        Ok(())
    }

    async fn dates(&self) -> Result<(), PortError> {
        let dates = self.catalog.open_dates(ConcertId::new(SHOWCASE).unwrap(), noon()).await?;
        assert_eq!(dates.unwrap().len(), 3);
        Ok(())
    }

    async fn load(&self) -> Result<(), PortError> {
        self.checkpoints.load(main_queue()).await.map(drop)
    }

    async fn save(&self) -> Result<(), PortError> {
        let marks = Checkpoint::new(QueueCounters::new(20, 10), 30);
        let saved = self.checkpoints.save(main_queue(), marks).await?;
        assert_eq!(saved, marks);
        Ok(())
    }

    /// Makes each call once.
    async fn everything(&self) -> Result<(), PortError> {
        self.page().await?;
        self.dates().await?;
        self.load().await?;
        self.save().await
    }
}

fn main_queue() -> QueueId {
    QueueId::parse("main").unwrap()
}

/// One of the calls.
type Ask = fn(Asker) -> BoxFuture<'static, Result<(), PortError>>;

const PAGE: Ask = |asker| Box::pin(async move { asker.page().await });
const DATES: Ask = |asker| Box::pin(async move { asker.dates().await });
const LOAD: Ask = |asker| Box::pin(async move { asker.load().await });
const SAVE: Ask = |asker| Box::pin(async move { asker.save().await });

/// Runs each statement on each of the pool's four connections, which a table lock keeps busy
/// meanwhile.
async fn warm(database: &Database, pool: &Pool, asker: &Asker) {
    asker.everything().await.unwrap();
    for (run, table) in [
        (PAGE, "concerts"),
        (DATES, "concerts"),
        (LOAD, "queue_checkpoints"),
        (SAVE, "queue_checkpoints"),
    ] {
        let lock = database.hold(&format!("LOCK TABLE {table}")).unwrap();
        let outcome = [run; 4].map(|run| tokio::spawn(run(asker.clone())));
        let held_up = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("each connection waits", async || database.sql(held_up).unwrap() == "4").await;
        drop(lock);
        for answer in try_join_all(outcome).await.unwrap() {
            answer.unwrap();
        }
    }
    let state = pool.state();
    assert_eq!((state.connections, state.idle), (4, 4), "{state:?}");
}

/// A pool of four connections on which each statement is prepared, behind a pooler.
async fn warmed() -> (Database, Pooler, Pool, Asker) {
    let database = filled().await;
    let (pooler, url) = Pooler::before(&database).await;
    let pool = pool(&url, LIMITS, &SETTINGS);
    let asker = Asker::of(&pool);
    warm(&database, &pool, &asker).await;
    (database, pooler, pool, asker)
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_a_column_type_under_load_fails_no_call() {
    let (database, pooler, pool, asker) = warmed().await;
    let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (asker, is_over, answers) =
                (asker.clone(), Arc::clone(&is_over), Arc::clone(&answers));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    asker.page().await?;
                    asker.dates().await?;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, PortError>(())
            })
        })
        .collect();
    for kind in ["varchar(400)", "varchar(500)", "text"] {
        database.sql(&format!("ALTER TABLE concerts ALTER COLUMN title TYPE {kind}")).unwrap();
        let seen = answers.load(Ordering::Relaxed);
        eventually("reading continues", async || {
            answers.load(Ordering::Relaxed) > seen + 50
                || readers.iter().any(JoinHandle::is_finished)
        })
        .await;
    }
    is_over.store(true, Ordering::Relaxed);
    for answer in join_all(readers).await {
        answer.unwrap().unwrap();
    }
    assert!(pooler.errors("0A000") >= 3, "the server refused cached plans");
    assert!(pool.state().connections <= 4);
}

/// Runs these statements on each connection. Returns how often the server then sends this error:
/// first during one of each call, then during four concurrent ones of each.
async fn errors_after(doing: &[&str], code: &str) -> (u32, u32) {
    let (database, pooler, pool, asker) = warmed().await;
    for statement in doing {
        pooler.run_on_each(statement).await;
    }
    asker.everything().await.unwrap();
    let to_one = pooler.errors(code);
    warm(&database, &pool, &asker).await;
    assert!(pool.state().connections <= 4);
    (to_one, pooler.errors(code) - to_one)
}

#[tokio::test(flavor = "multi_thread")]
async fn deallocated_statements_fail_no_call_and_cause_one_error() {
    assert_eq!(errors_after(&["DEALLOCATE ALL"], "26000").await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_demoted_server_fail_no_save_and_cause_one_error() {
    let only_read = "SET default_transaction_read_only = on";
    assert_eq!(errors_after(&[only_read], "25006").await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_transactions_fail_no_call() {
    let (to_one, to_four) = errors_after(&["BEGIN", "SELECT 1 / 0"], "25P02").await;
    assert_eq!(to_one + to_four, 4, "each connection has its own transaction");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_on_a_connection_with_an_open_transaction_is_durable() {
    let (database, pooler, _pool, asker) = warmed().await;
    database.sql("TRUNCATE queue_checkpoints").unwrap();
    pooler.run_on_each("BEGIN").await;
    asker.save().await.unwrap();
    assert_eq!(
        database.sql("SELECT last, serving, ceiling FROM queue_checkpoints").unwrap(),
        "20|10|30"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_statement_names_fail_no_call() {
    let database = filled().await;
    let (pooler, url) = Pooler::before(&database).await;
    let asker = Asker::of(&pool(&url, LIMITS, &PoolSettings { size: 1, ..SETTINGS }));
    asker.page().await.unwrap();
    let take_names = "DO $$ BEGIN FOR n IN 0..20000 LOOP \
                      BEGIN EXECUTE format('PREPARE s%s AS SELECT 1', n); \
                      EXCEPTION WHEN duplicate_prepared_statement THEN END; END LOOP; END $$";
    pooler.run_on_each(take_names).await;
    asker.everything().await.unwrap();
    assert_eq!(pooler.errors("42P05"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_connection_is_terminated_succeeds_on_another() {
    let (database, pooler, _pool, asker) = warmed().await;
    let lock = database.hold("LOCK TABLE concerts, queue_checkpoints").unwrap();
    let outcome = [PAGE, DATES, LOAD, SAVE].map(|run| tokio::spawn(run(asker.clone())));
    let waiting =
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let count = format!("SELECT count(*) {waiting}");
    eventually("all wait", async || database.sql(&count).unwrap() == "4").await;
    database.sql(&format!("SELECT pg_terminate_backend(pid) {waiting}")).unwrap();
    eventually("all wait again", async || {
        pooler.errors("57P01") == 4 && database.sql(&count).unwrap() == "4"
    })
    .await;
    drop(lock);
    for answer in try_join_all(outcome).await.unwrap() {
        answer.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_has_the_time_limit_of_a_single_one() {
    let database = filled().await;
    let (pooler, url) = Pooler::before(&database).await;
    // Without a common limit, the server would cancel the second attempt at least a second after
    // the limit of both.
    let limit = Duration::from_secs(6);
    let limits = SessionLimits { statement: limit, lock: limit, ..LIMITS };
    let asker = Asker::of(&pool(&url, limits, &SETTINGS));
    asker.dates().await.unwrap();
    let lock = database.hold("LOCK TABLE concerts").unwrap();
    let outcome = tokio::spawn(DATES(asker.clone()));
    let waiting =
        "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let wait = format!(
        "SELECT count(*) {waiting} AND clock_timestamp() - query_start > interval '1 second'"
    );
    eventually("the call waits", async || database.sql(&wait).unwrap() == "1").await;
    database.sql(&format!("SELECT pg_terminate_backend(pid) {waiting}")).unwrap();
    let error = outcome.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Timeout);
    assert_eq!(pooler.errors("57P01"), 1);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.ends_with("the server did not answer in time"), "{cause}");
    assert_eq!(pooler.errors("55P03"), 0, "the server did not reach its own limit");
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_query_is_returned_at_once_and_costs_no_connection() {
    let (database, pooler, _pool, asker) = warmed().await;
    database.sql("ALTER TABLE schedules RENAME TO gone").unwrap();
    let before = pooler.connections();
    for outcome in 1..=5 {
        let error = asker.dates().await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("relation \"schedules\" does not exist"), "{cause}");
        assert!(cause.contains("42P01"), "{cause}");
        assert_eq!((pooler.errors("42P01"), pooler.connections()), (outcome, before));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_is_reported_and_costs_few_connections() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::None).unwrap();
    let url = server.url("postgres");
    adapter_postgres::migrate(address(&url), CONNECT).await.unwrap();
    fill(&url, concerts(SampleSize::of_concerts(500), noon()).collect()).await;
    let pooler = Pooler::to(server.address()).await;
    let url = format!("postgres://postgres@{}/postgres", pooler.address());
    let asker = Asker::of(&pool(&url, LIMITS, &SETTINGS));
    asker.everything().await.unwrap();
    let only_reads = async |on: bool| {
        let set = format!(
            "ALTER SYSTEM SET default_transaction_read_only = {on}; SELECT pg_reload_conf();"
        );
        // A read-only session may not change settings either.
        let as_writer = format!("SET default_transaction_read_only = off; {set}");
        server.sql("postgres", &as_writer).unwrap();
        let shown = if on { "on" } else { "off" };
        eventually("the server has read its settings", async || {
            server.sql("postgres", "SHOW default_transaction_read_only").unwrap() == shown
        })
        .await;
    };
    only_reads(true).await;
    let saved = async || asker.save().await;
    eventually("saving fails", async || saved().await.is_err()).await;
    let before = pooler.connections();
    for _ in 0..50 {
        let error = saved().await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("read-only transaction") && cause.contains("25006"), "{cause}");
        asker.page().await.unwrap();
    }
    let made = pooler.connections() - before;
    assert!(made < 25, "{made} connections were made for fifty saves");
    only_reads(false).await;
    eventually("it is saved again", async || saved().await.is_ok()).await;
}
