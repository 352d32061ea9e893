//! The schema: migrations up and down, constraints, and the count of free seats.

use std::time::Duration;

use domain::sample_catalog::{SampleSize, concerts};
use test_support::Database;

use crate::support::{CONNECT, address, database, eventually, fill};

/// The schema as SQL.
fn dump(database: &Database) -> String {
    let mut command = database.command("pg_dump");
    let output = command.args(["--schema-only", "--dbname", &database.url()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer versions put a random word around the dump.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect()
}

async fn migrate(database: &Database) -> Vec<String> {
    adapter_postgres::migrate(address(&database.url()), CONNECT).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_reverted() {
    let database = Database::empty().unwrap();
    let applied = migrate(&database).await;
    let above = dump(&database);
    let mut reverted = Vec::new();
    for _ in &applied {
        reverted
            .push(adapter_postgres::revert_last(address(&database.url()), CONNECT).await.unwrap());
    }
    reverted.reverse();
    assert_eq!(reverted, applied);
    let left = database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap();
    assert_eq!(left, "1", "only the table of migrations is left");
    let functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' \
                     AND proname NOT LIKE 'diesel%'";
    assert_eq!(database.sql(functions).unwrap(), "0");
    assert_eq!(migrate(&database).await, applied);
    assert!(dump(&database) == above, "migrating again yields another schema");
    let nothing =
        adapter_postgres::revert_last(address(&Database::empty().unwrap().url()), CONNECT).await;
    assert!(nothing.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_replicas_started_together_migrate_once() {
    let database = Database::empty().unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            tokio::spawn(adapter_postgres::migrate(
                address(&database.url()),
                Duration::from_secs(20),
            ))
        })
        .collect();
    let mut applied = Vec::new();
    for task in tasks {
        applied.extend(task.await.unwrap().unwrap());
    }
    let steps = [
        "2026-11-22-000001_catalogue",
        "2026-11-23-000001_queue_checkpoints",
        "2026-11-30-000001_queue_incarnations",
    ];
    assert_eq!(applied, steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_rows_are_refused() {
    let database = database();
    let good = "INSERT INTO concerts VALUES (1, 'a', 'b'); \
                INSERT INTO schedules VALUES (11, 1, '2026-06-01', '2026-05-01', '2026-05-31'); \
                INSERT INTO seats VALUES (11, 1, 'free'); \
                INSERT INTO queue_checkpoints VALUES ('main', 7, 3, 9), ('new', 0, 0, 0);";
    database.sql(good).unwrap();
    let bad = [
        ("INSERT INTO concerts VALUES (1, 'again', 'b')", "concerts_pkey"),
        ("INSERT INTO concerts VALUES (0, 'a', 'b')", "concerts_id_is_positive"),
        ("INSERT INTO concerts VALUES (2, '', 'b')", "concerts_title_is_there"),
        (
            "INSERT INTO schedules VALUES (21, 2, '2026-06-01', '2026-05-01', '2026-05-31')",
            "schedules_concert_id_fkey",
        ),
        (
            "INSERT INTO schedules VALUES (12, 1, '2026-06-01', '2026-05-31', '2026-05-31')",
            "schedules_sale_closes_after_it_opens",
        ),
        (
            "INSERT INTO schedules VALUES (12, 1, 'infinity', '2026-05-01', '2026-05-31')",
            "schedules_times_are_in_reach",
        ),
        (
            "INSERT INTO schedules VALUES (-1, 1, '2026-06-01', '2026-05-01', '2026-05-31')",
            "schedules_id_is_positive",
        ),
        ("INSERT INTO seats VALUES (11, 1, 'sold')", "seats_pkey"),
        ("INSERT INTO seats VALUES (11, 0, 'free')", "seats_number_is_positive"),
        ("INSERT INTO seats VALUES (11, 2, 'gone')", "seats_state_is_known"),
        ("INSERT INTO seats VALUES (12, 1, 'free')", "seats_schedule_id_fkey"),
        ("DELETE FROM concerts", "schedules_concert_id_fkey"),
        ("DELETE FROM schedules", "seats_schedule_id_fkey"),
        ("INSERT INTO queue_checkpoints VALUES ('main', 7, 3, 9)", "queue_checkpoints_pkey"),
        ("INSERT INTO queue_checkpoints VALUES ('', 7, 3, 9)", "queue_checkpoints_queue_is_named"),
        ("UPDATE queue_checkpoints SET serving = -1", "queue_checkpoints_serving_is_not_negative"),
        (
            "UPDATE queue_checkpoints SET serving = 8",
            "queue_checkpoints_only_numbers_given_are_called",
        ),
        ("UPDATE queue_checkpoints SET ceiling = 6", "queue_checkpoints_ceiling_is_not_below_last"),
    ];
    for (statement, constraint) in bad {
        let error = database.sql(statement).unwrap_err().to_string();
        assert!(error.contains(&format!("\"{constraint}\"")), "{statement}: {error}");
    }
    let counts = [
        "INSERT INTO schedules VALUES (12, 1, '2026-06-01', '2026-05-01', '2026-05-31', 5)",
        "UPDATE schedules SET seats_left = 5",
    ];
    for statement in counts {
        let error = database.sql(statement).unwrap_err().to_string();
        assert!(error.contains("follows the seats and cannot be written"), "{statement}: {error}");
    }
}

/// Dates whose count of free seats differs from their number of free seats.
const MISCOUNTED: &str = "SELECT count(*) FROM schedules WHERE seats_left <> \
                          (SELECT count(*) FROM seats WHERE schedule_id = schedules.id AND state = 'free')";

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_seats_keeps_the_count_of_free_seats_right() {
    let database = database();
    let sample = concerts(SampleSize::of_concerts(20), "2026-05-04T12:00:00Z".parse().unwrap());
    fill(&database.url(), sample.collect()).await;
    let changes = [
        "SELECT 1",
        "UPDATE seats SET state = 'held' WHERE number % 3 = 0",
        "UPDATE seats SET state = 'sold' WHERE state = 'held' AND schedule_id % 2 = 0",
        "UPDATE seats SET state = 'free' WHERE state = 'held'",
        "UPDATE seats SET state = state",
        "UPDATE seats SET schedule_id = 12, number = number + 1000 WHERE schedule_id = 11 AND number < 5",
        "BEGIN; UPDATE seats SET state = 'sold'; ROLLBACK",
        "INSERT INTO seats SELECT 21, 2000 + n, 'free' FROM generate_series(1, 7) AS n",
        "INSERT INTO seats VALUES (21, 2001, 'free') ON CONFLICT (schedule_id, number) DO UPDATE SET state = 'sold'",
        "DELETE FROM seats WHERE number % 5 = 0",
        "UPDATE seats SET state = 'free'",
    ];
    for change in changes {
        // The dates of the first concerts exist.
        database.sql("INSERT INTO schedules SELECT 12, 1, performance_at, sale_opens_at, sale_closes_at FROM schedules WHERE id = 11 ON CONFLICT DO NOTHING").unwrap();
        database.sql(change).unwrap();
        assert_eq!(database.sql(MISCOUNTED).unwrap(), "0", "{change}");
    }
    assert_ne!(database.sql("SELECT sum(seats_left) FROM schedules").unwrap(), "0");
    database.sql("TRUNCATE seats").unwrap();
    assert_eq!(database.sql("SELECT sum(seats_left) FROM schedules").unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_sellers_neither_miscount_nor_deadlock() {
    let database = database();
    let sample = concerts(SampleSize::of_concerts(20), "2026-05-04T12:00:00Z".parse().unwrap());
    fill(&database.url(), sample.collect()).await;
    // Each statement changes seats of many dates, starting from either end.
    let sell = |seller: u32| -> String {
        let order = if seller.is_multiple_of(2) { "ASC" } else { "DESC" };
        let one = |round: u32| {
            let state = if (seller + round).is_multiple_of(3) { "free" } else { "sold" };
            format!(
                "UPDATE seats SET state = '{state}' WHERE (schedule_id, number) IN \
                 (SELECT schedule_id, number FROM seats WHERE number = {} ORDER BY schedule_id {order});\n",
                1 + seller * 4 + round % 4
            )
        };
        (0..50).map(one).collect()
    };
    std::thread::scope(|scope| {
        for seller in 0..8 {
            let (database, statements) = (&database, sell(seller));
            scope.spawn(move || database.sql(&statements).unwrap());
        }
    });
    assert_eq!(database.sql(MISCOUNTED).unwrap(), "0");
}

/// The README of the migrations.
const PAGE: &str = include_str!("../../../../migrations/README.md");

/// Returns this many statements of the README, starting at this text.
pub(crate) fn from_the_page(beginning: &str, statements: usize) -> String {
    let from = PAGE.find(beginning).unwrap();
    PAGE[from..].split_inclusive(';').take(statements).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_grants_are_enough_for_a_seller() {
    let database = database();
    let sample = concerts(SampleSize::of_concerts(2), "2026-05-04T12:00:00Z".parse().unwrap());
    fill(&database.url(), sample.collect()).await;
    let seller = format!("seller_{}", database.name());
    let grant = from_the_page("GRANT SELECT, UPDATE ON seats", 1).replace("seller", &seller);
    database.sql(&format!("CREATE ROLE {seller}; {grant}")).unwrap();
    // The trigger must not count in a temporary table of the same name.
    let sell = "CREATE TEMP TABLE schedules (id bigint, seats_left int); \
                UPDATE seats SET state = 'sold' WHERE number < 50;";
    database.sql(&format!("SET ROLE {seller}; {sell}")).unwrap();
    assert_eq!(database.sql(MISCOUNTED).unwrap(), "0");
    assert_eq!(
        database.sql("SELECT count(*) FROM seats WHERE state = 'free' AND number < 50").unwrap(),
        "0"
    );
    let more = format!("SET ROLE {seller}; UPDATE schedules SET sale_closes_at = 'infinity';");
    assert!(database.sql(&more).unwrap_err().to_string().contains("permission denied"));
    database.sql(&format!("DROP OWNED BY {seller}; DROP ROLE {seller}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_repair_corrects_the_counts() {
    let database = database();
    let sample = concerts(SampleSize::of_concerts(20), "2026-05-04T12:00:00Z".parse().unwrap());
    fill(&database.url(), sample.collect()).await;
    let broken = "ALTER TABLE seats DISABLE TRIGGER USER; UPDATE seats SET state = 'sold' WHERE number % 3 = 0; \
                  DELETE FROM seats WHERE schedule_id < 60; ALTER TABLE seats ENABLE TRIGGER USER;";
    database.sql(broken).unwrap();
    assert_ne!(database.sql(MISCOUNTED).unwrap(), "0");
    database.sql(&from_the_page("ALTER TABLE schedules DISABLE TRIGGER", 3)).unwrap();
    assert_eq!(database.sql(MISCOUNTED).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_migrators_do_not_block_the_running_one() {
    let database = database();
    let lock = i64::from_str_radix("626f786f66666963", 16).unwrap();
    let in_flight = database.hold(&format!("SELECT pg_advisory_lock({lock})")).unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn(adapter_postgres::migrate(
                address(&database.url()),
                Duration::from_secs(20),
            ))
        })
        .collect();
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'boxoffice' AND query LIKE '%advisory%'";
    eventually("three wait", async || database.sql(connected).unwrap() == "3").await;
    database
        .sql("SET lock_timeout = '5s'; CREATE INDEX CONCURRENTLY places ON concerts (place);")
        .unwrap();
    assert!(waiting.iter().all(|task| !task.is_finished()));
    drop(in_flight);
    for task in waiting {
        assert!(task.await.unwrap().unwrap().is_empty());
    }
}
