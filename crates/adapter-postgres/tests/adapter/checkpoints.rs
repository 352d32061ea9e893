//! Durability of checkpoints, and the errors when they cannot be loaded or saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adapter_postgres::{PoolSettings, PostgresCheckpoints, SessionLimits};
use domain::PortErrorKind;
use domain::queue::{Checkpoint, CheckpointStore as _, QueueCounters, QueueId};
use test_support::{Durability, FaultProxy, Postgres, PostgresBinaries};
use tokio::time::timeout;

use crate::schema::from_the_page;
use crate::support::{CONNECT, LIMIT, LIMITS, POOL, address, database, eventually, pool};

/// Short enough to wait for, long enough for a busy machine to answer.
const SHORT: Duration = Duration::from_secs(2);

fn main_queue() -> QueueId {
    QueueId::parse("main").unwrap()
}

fn marks(last: u64, serving: u64, ceiling: u64) -> Checkpoint {
    Checkpoint::new(QueueCounters::new(last, serving), ceiling)
}

fn open(url: &str) -> PostgresCheckpoints {
    open_with(url, LIMITS, &POOL)
}

fn open_with(url: &str, limits: SessionLimits, settings: &PoolSettings) -> PostgresCheckpoints {
    PostgresCheckpoints::new(pool(url, limits, settings))
}

/// The errors of saving and of loading, each within a limit.
async fn failures(checkpoints: &PostgresCheckpoints) -> [PortErrorKind; 2] {
    let saved = timeout(LIMIT, checkpoints.save(main_queue(), marks(0, 0, 0))).await.unwrap();
    let loaded = timeout(LIMIT, checkpoints.load(main_queue())).await.unwrap();
    [saved.unwrap_err().kind(), loaded.unwrap_err().kind()]
}

/// Saves increasing marks until a save fails; returns the last returned mark and the error.
async fn save_until_it_fails(
    checkpoints: PostgresCheckpoints,
    saved: Arc<AtomicU64>,
) -> (Checkpoint, PortErrorKind) {
    let mut reported = marks(0, 0, 0);
    for n in 1.. {
        match checkpoints.save(main_queue(), marks(2 * n, n, 3 * n)).await {
            Ok(now) => reported = reported.raised_to(now),
            Err(error) => return (reported, error.kind()),
        }
        saved.fetch_add(1, Ordering::SeqCst);
    }
    unreachable!("every save may raise the marks")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_returned_save_survives_a_server_killed_while_saving() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::Full).unwrap();
    let url = server.url("postgres");
    adapter_postgres::migrate(address(&url), CONNECT).await.unwrap();
    let checkpoints = open(&url);
    for _ in 0..3 {
        let saved = Arc::new(AtomicU64::new(0));
        let savers: Vec<_> = (0..4)
            .map(|_| tokio::spawn(save_until_it_fails(checkpoints.clone(), Arc::clone(&saved))))
            .collect();
        eventually("some are saved", async || saved.load(Ordering::SeqCst) > 40).await;
        server.kill().unwrap();
        let mut reported = marks(0, 0, 0);
        for saver in savers {
            let (by_this_one, kind) = timeout(LIMIT, saver).await.unwrap().unwrap();
            assert_eq!(kind, PortErrorKind::Unavailable);
            reported = reported.raised_to(by_this_one);
        }
        assert_eq!(failures(&checkpoints).await, [PortErrorKind::Unavailable; 2]);
        server.restart().unwrap();
        eventually("it is loaded again", async || checkpoints.load(main_queue()).await.is_ok())
            .await;
        let loaded = checkpoints.load(main_queue()).await.unwrap().unwrap();
        assert_eq!(
            loaded.raised_to(reported),
            loaded,
            "the stored marks include the returned ones"
        );
        assert_eq!(checkpoints.save(main_queue(), marks(1, 1, 1)).await.unwrap(), loaded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_without_a_reply_times_out_and_can_be_repeated() {
    let database = database();
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    let url = format!("postgres://postgres@{}/{}", proxy.address(), database.name());
    let limits = SessionLimits { connect: SHORT, statement: SHORT, lock: SHORT, ..LIMITS };
    let checkpoints = open_with(&url, limits, &PoolSettings { size: 1, acquire: SHORT, ..POOL });
    let saved = marks(20, 10, 30);
    assert_eq!(checkpoints.save(main_queue(), saved).await.unwrap(), saved);
    proxy.block();
    // The first uses the existing connection; a new one cannot be opened.
    assert_eq!(failures(&checkpoints).await, [PortErrorKind::Timeout, PortErrorKind::Unavailable]);
    proxy.mend();
    eventually("it is saved again", async || checkpoints.save(main_queue(), saved).await.is_ok())
        .await;
    assert_eq!(checkpoints.load(main_queue()).await.unwrap(), Some(saved));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_of_a_locked_row_times_out_and_changes_nothing() {
    let database = database();
    let checkpoints = open_with(&database.url(), SessionLimits { lock: SHORT, ..LIMITS }, &POOL);
    let saved = marks(20, 10, 30);
    checkpoints.save(main_queue(), saved).await.unwrap();
    let lock = database.hold("SELECT FROM queue_checkpoints FOR UPDATE").unwrap();
    let error = checkpoints.save(main_queue(), marks(21, 11, 31)).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Timeout);
    assert_eq!(
        checkpoints.load(main_queue()).await.unwrap(),
        Some(saved),
        "reading does not wait for locks"
    );
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_row_is_reported_as_corrupt() {
    let database = database();
    let constraints = "ALTER TABLE queue_checkpoints \
                       DROP CONSTRAINT queue_checkpoints_serving_is_not_negative, \
                       DROP CONSTRAINT queue_checkpoints_only_numbers_given_are_called, \
                       DROP CONSTRAINT queue_checkpoints_ceiling_is_not_below_last;";
    database.sql(constraints).unwrap();
    let checkpoints = open(&database.url());
    for impossible in ["-3, -3, -3", "5, -1, 9", "5, 6, 9", "5, 3, 4"] {
        let plant = format!("INSERT INTO queue_checkpoints VALUES ('main', {impossible});");
        database.sql(&format!("TRUNCATE queue_checkpoints; {plant}")).unwrap();
        let error = checkpoints.load(main_queue()).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Corrupt, "{impossible}");
        assert!(
            std::error::Error::source(&error)
                .unwrap()
                .to_string()
                .starts_with("invalid checkpoint: last")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_save_records_its_time() {
    let database = database();
    let checkpoints = open(&database.url());
    checkpoints.save(main_queue(), marks(20, 10, 30)).await.unwrap();
    database.sql("UPDATE queue_checkpoints SET saved_at = '2026-01-01'").unwrap();
    checkpoints.save(main_queue(), marks(20, 10, 30)).await.unwrap();
    let age = "SELECT now() - saved_at < interval '1 hour' FROM queue_checkpoints";
    assert_eq!(database.sql(age).unwrap(), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_grants_allow_saving_and_not_deleting() {
    let database = database();
    let service = format!("service_{}", database.name());
    let grant = from_the_page("GRANT SELECT, INSERT, UPDATE ON queue_checkpoints", 1)
        .replace("boxoffice_service", &service);
    database.sql(&format!("CREATE ROLE {service} LOGIN; {grant}")).unwrap();
    let checkpoints = open(&database.url_as(&service));
    for saved in [marks(20, 10, 30), marks(40, 20, 60)] {
        assert_eq!(checkpoints.save(main_queue(), saved).await.unwrap(), saved);
    }
    assert_eq!(checkpoints.load(main_queue()).await.unwrap(), Some(marks(40, 20, 60)));
    let forget = format!("SET ROLE {service}; DELETE FROM queue_checkpoints;");
    assert!(database.sql(&forget).unwrap_err().to_string().contains("permission denied"));
    database.sql(&format!("DROP OWNED BY {service}; DROP ROLE {service}")).unwrap();
}
