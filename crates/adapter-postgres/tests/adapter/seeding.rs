//! Filling a database with the sample.

use adapter_postgres::Seeded;
use domain::Timestamp;
use domain::sample_catalog::{SampleConcert, SampleSize, concerts};
use test_support::Database;

use crate::support::{CONNECT, LIMIT, address, database};

fn sample(count: u32, seats: u64) -> Vec<SampleConcert> {
    let noon: Timestamp = "2026-05-04T12:00:00Z".parse().unwrap();
    concerts(SampleSize::new(count, seats).unwrap(), noon).collect()
}

async fn seed(database: &Database, concerts: Vec<SampleConcert>) -> Seeded {
    adapter_postgres::seed(address(&database.url()), CONNECT, concerts, |_| {}).await.unwrap()
}

/// A fingerprint of the whole content.
fn content(database: &Database) -> String {
    let table = |name: &str, key: &str| {
        format!("(SELECT md5(string_agg(t::text, ',' ORDER BY {key})) FROM {name} AS t)")
    };
    let (concerts, schedules) = (table("concerts", "id"), table("schedules", "id"));
    let seats = table("seats", "schedule_id, number");
    database.sql(&format!("SELECT {concerts}, {schedules}, {seats}")).unwrap()
}

fn counts(database: &Database) -> String {
    database.sql("SELECT (SELECT count(*) FROM concerts), (SELECT count(*) FROM seats)").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_changes_nothing() {
    let database = database();
    assert_eq!(
        seed(&database, sample(700, 70_001)).await,
        Seeded { added: 700, there: 0, seats: 70_001, seats_added: 70_001 }
    );
    assert_eq!(counts(&database), "700|70001");
    let (first, rows) =
        (content(&database), database.sql("SELECT sum(xmin::text::bigint) FROM seats").unwrap());
    assert_eq!(
        seed(&database, sample(700, 70_001)).await,
        Seeded { added: 0, there: 700, seats: 70_001, seats_added: 0 }
    );
    assert_eq!(content(&database), first);
    assert_eq!(
        database.sql("SELECT sum(xmin::text::bigint) FROM seats").unwrap(),
        rows,
        "no row was rewritten"
    );
    let sold = "SELECT (SELECT count(*) FROM seats WHERE state = 'sold') > 0, \
                (SELECT sum(seats_left) FROM schedules) = (SELECT count(*) FROM seats WHERE state = 'free')";
    assert_eq!(database.sql(sold).unwrap(), "t|t");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_can_be_repeated() {
    let whole = database();
    let database = database();
    seed(&whole, sample(1_000, 100_000)).await;
    let (reported, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    // Blocks after the first batch until the run is interrupted.
    let notify = move |_: Seeded| {
        reported.send(()).unwrap();
        wait.recv_timeout(LIMIT).unwrap();
    };
    let seeding =
        adapter_postgres::seed(address(&database.url()), CONNECT, sample(1_000, 100_000), notify);
    let seeding = tokio::spawn(seeding);
    hear.recv().await.unwrap();
    seeding.abort();
    go_on.send(()).unwrap();
    assert!(seeding.await.unwrap_err().is_cancelled());
    let Seeded { added, there, .. } = seed(&database, sample(1_000, 100_000)).await;
    assert!(
        there > 0 && added > 0 && there + added == 1_000,
        "{there} existed, {added} were added"
    );
    assert_eq!(content(&database), content(&whole), "as if it had never been interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_concurrent_runs_add_everything_once() {
    let database = database();
    let runs = (0..2).map(|_| seed(&database, sample(500, 50_000)));
    let added: u64 =
        futures_util::future::join_all(runs).await.iter().map(|seeded| seeded.added).sum();
    assert_eq!(added, 500);
    assert_eq!(counts(&database), "500|50000");
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_concerts_are_left_unchanged() {
    let database = database();
    database.sql("INSERT INTO concerts VALUES (3, 'ours', 'here')").unwrap();
    assert_eq!(
        seed(&database, sample(10, 1_000)).await,
        Seeded { added: 9, there: 1, seats: 1_000, seats_added: 900 }
    );
    assert_eq!(database.sql("SELECT title FROM concerts WHERE id = 3").unwrap(), "ours");
    assert_eq!(database.sql("SELECT count(*) FROM schedules WHERE concert_id = 3").unwrap(), "0");
}
