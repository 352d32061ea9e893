//! What checkpoints outlive, and what is told when they cannot be had.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adapter_postgres::{PoolSettings, PostgresCheckpoints, SessionLimits};
use domain::PortErrorKind;
use domain::queue::{Checkpoint, CheckpointStore as _, Line, QueueId};
use test_support::{Durability, Postgres, PostgresBinaries, Wire};
use tokio::time::timeout;

use crate::schema::from_the_page;
use crate::support::{CONNECT, LIMIT, LIMITS, POOL, address, database, eventually, pool};

/// Short enough to wait for, long enough for a busy machine to answer within.
const SHORT: Duration = Duration::from_secs(2);

fn main_queue() -> QueueId {
    QueueId::parse("main").unwrap()
}

fn marks(last: u64, serving: u64, ceiling: u64) -> Checkpoint {
    Checkpoint::new(Line::new(last, serving), ceiling)
}

fn open(url: &str) -> PostgresCheckpoints {
    open_with(url, LIMITS, &POOL)
}

fn open_with(url: &str, limits: SessionLimits, settings: &PoolSettings) -> PostgresCheckpoints {
    PostgresCheckpoints::new(pool(url, limits, settings))
}

/// How saving and how loading fails, each within a limit.
async fn failures(checkpoints: &PostgresCheckpoints) -> [PortErrorKind; 2] {
    let saved = timeout(LIMIT, checkpoints.save(main_queue(), marks(0, 0, 0))).await.unwrap();
    let loaded = timeout(LIMIT, checkpoints.load(main_queue())).await.unwrap();
    [saved.unwrap_err().kind(), loaded.unwrap_err().kind()]
}

/// Saves higher and higher marks until that fails; each mark of what was returned last, and how it failed.
async fn save_until_it_fails(
    checkpoints: PostgresCheckpoints,
    saved: Arc<AtomicU64>,
) -> (Checkpoint, PortErrorKind) {
    let mut told = marks(0, 0, 0);
    for n in 1.. {
        match checkpoints.save(main_queue(), marks(2 * n, n, 3 * n)).await {
            Ok(now) => told = told.raised_to(now),
            Err(error) => return (told, error.kind()),
        }
        saved.fetch_add(1, Ordering::SeqCst);
    }
    unreachable!("there is always a higher mark")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_save_that_returned_outlives_the_server_killed_in_the_midst_of_saving() {
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
        let mut told = marks(0, 0, 0);
        for saver in savers {
            let (by_this_one, kind) = timeout(LIMIT, saver).await.unwrap().unwrap();
            assert_eq!(kind, PortErrorKind::Unavailable);
            told = told.raised_to(by_this_one);
        }
        assert_eq!(failures(&checkpoints).await, [PortErrorKind::Unavailable; 2]);
        server.restart().unwrap();
        eventually("it is loaded again", async || checkpoints.load(main_queue()).await.is_ok())
            .await;
        let loaded = checkpoints.load(main_queue()).await.unwrap().unwrap();
        assert_eq!(loaded.raised_to(told), loaded, "what is there, with what was said to be");
        assert_eq!(checkpoints.save(main_queue(), marks(1, 1, 1)).await.unwrap(), loaded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_without_an_answer_ends_at_its_limit_and_can_be_repeated() {
    let database = database();
    let wire = Wire::to(database.server_address().unwrap()).unwrap();
    let url = format!("postgres://postgres@{}/{}", wire.address(), database.name());
    let limits = SessionLimits { connect: SHORT, statement: SHORT, lock: SHORT, ..LIMITS };
    let checkpoints = open_with(&url, limits, &PoolSettings { size: 1, acquire: SHORT, ..POOL });
    let saved = marks(20, 10, 30);
    assert_eq!(checkpoints.save(main_queue(), saved).await.unwrap(), saved);
    wire.block();
    // The first on the connection there was; a new one cannot be made.
    assert_eq!(failures(&checkpoints).await, [PortErrorKind::Timeout, PortErrorKind::Unavailable]);
    wire.mend();
    eventually("it is saved again", async || checkpoints.save(main_queue(), saved).await.is_ok())
        .await;
    assert_eq!(checkpoints.load(main_queue()).await.unwrap(), Some(saved));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_somebody_holds_is_given_up_at_the_lock_limit_and_left_as_it_is() {
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
        "reading waits for nobody"
    );
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_is_corrupt_and_no_line() {
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
                .starts_with("a checkpoint with last")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_checkpoint_was_saved_is_written_down_each_time() {
    let database = database();
    let checkpoints = open(&database.url());
    checkpoints.save(main_queue(), marks(20, 10, 30)).await.unwrap();
    database.sql("UPDATE queue_checkpoints SET saved_at = '2026-01-01'").unwrap();
    checkpoints.save(main_queue(), marks(20, 10, 30)).await.unwrap();
    let age = "SELECT now() - saved_at < interval '1 hour' FROM queue_checkpoints";
    assert_eq!(database.sql(age).unwrap(), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_on_the_page_are_enough_to_remember_and_not_to_forget() {
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
