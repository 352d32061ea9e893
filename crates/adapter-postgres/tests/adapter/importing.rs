//! Importing concerts and dates.

use std::sync::Arc;

use adapter_postgres::{
    ImportChanges, ImportCounts, ImportDate, ImportEntry, ImportFault, ImportMode, ImportOutcome,
    ImportPosition, ImportProgress, SetupError, import, migrate,
};
use domain::Timestamp;
use domain::concert::{Concert, ConcertId};
use domain::schedule::{SaleWindow, ScheduleId};
use test_support::Database;

use crate::support::{CONNECT, address, database, eventually};

const DAY: i64 = 86_400;

/// The `n`th date, of a concert with ten dates.
fn entry(n: u64, seats: u32) -> ImportEntry {
    let at = |day: i64| Timestamp::from_second(2_000_000_000 + day * DAY).unwrap();
    let id = 1 + (n - 1) / 10;
    let performance = at(i64::try_from(n).unwrap());
    ImportEntry {
        at: ImportPosition { line: n, item: None },
        concert: Concert {
            id: ConcertId::new(id).unwrap(),
            title: format!("concert {id}"),
            place: String::new(),
        },
        date: Some(ImportDate {
            id: ScheduleId::new(n).unwrap(),
            performance,
            sale: SaleWindow::new(at(-9), performance).unwrap(),
            seats,
        }),
    }
}

type Entries = Vec<Result<ImportEntry, ImportFault>>;

fn entries(count: u64, seats: u32) -> Entries {
    (1..=count).map(|n| Ok(entry(n, seats))).collect()
}

async fn run(database: &Database, entries: Entries, mode: ImportMode) -> ImportOutcome {
    import(address(&database.url()), CONNECT, entries, mode, |_| {}).await.unwrap()
}

fn done(outcome: ImportOutcome) -> ImportChanges {
    let changes = match outcome {
        ImportOutcome::Done(changes) => Ok(changes),
        ImportOutcome::Refused(faults) => Err(faults),
    };
    changes.unwrap()
}

fn counts(database: &Database) -> String {
    let counts = "SELECT (SELECT count(*) FROM concerts), (SELECT count(*) FROM schedules), \
                  (SELECT count(*) FROM seats), (SELECT coalesce(sum(seats_left), 0) FROM schedules)";
    database.sql(counts).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_many_batches_adds_each_date_once() {
    let database = database();
    let all = |new, changed, unchanged| ImportCounts { new, changed, unchanged };
    let first = ImportChanges {
        concerts: all(1_200, 0, 0),
        dates: all(12_000, 0, 0),
        seats_added: 120_000,
        seats_removed: 0,
    };
    assert_eq!(done(run(&database, entries(12_000, 10), ImportMode::DryRun).await), first);
    assert_eq!(counts(&database), "0|0|0|0");
    let mut steps = Vec::new();
    let outcome = import(
        address(&database.url()),
        CONNECT,
        entries(12_000, 10),
        ImportMode::Write,
        |progress| steps.push(progress),
    );
    assert_eq!(done(outcome.await.unwrap()), first);
    assert_eq!(counts(&database), "1200|12000|120000|120000");
    use ImportProgress::{Read, Written};
    let written = |dates| Written { dates, of: 12_000 };
    let expected = [Read(5_000), Read(10_000), written(5_000), written(10_000), written(12_000)];
    assert_eq!(steps, expected);

    let more = done(run(&database, entries(12_000, 11), ImportMode::Write).await);
    let changed = ImportChanges {
        concerts: all(0, 0, 1_200),
        dates: all(0, 12_000, 0),
        seats_added: 12_000,
        seats_removed: 0,
    };
    assert_eq!(more, changed);
    assert_eq!(counts(&database), "1200|12000|132000|132000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_source_refuses_everything_and_the_rest_is_checked() {
    let database = database();
    let mut entries = entries(3, 1);
    entries.insert(
        1,
        Err(ImportFault {
            at: ImportPosition { line: 2, item: None },
            field: None,
            what: "unreadable".to_owned(),
        }),
    );
    entries.push(Ok(ImportEntry { at: ImportPosition { line: 4, item: None }, ..entry(1, 1) }));
    let ImportOutcome::Refused(faults) = run(&database, entries, ImportMode::Write).await else {
        panic!("it was imported");
    };
    let found: Vec<_> =
        faults.first.iter().map(|fault| (fault.at.line, fault.what.as_str())).collect();
    assert_eq!(found, [(2, "unreadable"), (4, "date 1 is already on line 1")]);
    assert_eq!(faults.total, 2);
    assert_eq!(counts(&database), "0|0|0|0");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_seats_than_an_import_may_have_are_refused() {
    let database = database();
    let ImportOutcome::Refused(faults) =
        run(&database, entries(2_000, 100_000), ImportMode::Write).await
    else {
        panic!("it was imported");
    };
    let what: Vec<_> = faults.first.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(what, ["more than 100000000 seats: import the file in parts"]);
    assert_eq!(faults.first[0].at.line, 1_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_sold_during_the_import_is_not_lost() {
    let database = Arc::new(database());
    done(run(&database, entries(1, 2), ImportMode::Write).await);
    let waiting = async |sessions: &str| {
        let waits = "SELECT count(*) FROM pg_stat_activity \
                     WHERE wait_event_type = 'Lock' AND datname = current_database()";
        eventually("sessions wait", async || database.sql(waits).unwrap() == sessions).await;
    };
    // The sale has locked its seat and waits for the date; the import waits for the seat.
    let date = database.hold("SELECT FROM schedules WHERE id = 1 FOR NO KEY UPDATE").unwrap();
    let seller = Arc::clone(&database);
    let sale = tokio::task::spawn_blocking(move || {
        seller.sql("UPDATE seats SET state = 'sold' WHERE number = 2").unwrap();
    });
    waiting("1").await;
    let importing = tokio::spawn({
        let address = address(&database.url());
        import(address, CONNECT, entries(1, 1), ImportMode::Write, |_| {})
    });
    waiting("2").await;
    drop(date);
    sale.await.unwrap();
    let ImportOutcome::Refused(faults) = importing.await.unwrap().unwrap() else {
        panic!("it was imported");
    };
    assert_eq!(faults.first[0].what, "seats above number 1 that are held or sold: 1");
    assert_eq!(counts(&database), "1|1|2|1");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_wait_for_an_import() {
    let database = database();
    let table = database.hold("LOCK TABLE seats IN SHARE MODE").unwrap();
    let importing = tokio::spawn(import(
        address(&database.url()),
        CONNECT,
        entries(1, 1),
        ImportMode::Write,
        |_| {},
    ));
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'seats'::regclass AND NOT granted";
    eventually("the import waits", async || database.sql(waits).unwrap() == "1").await;
    let migrating = tokio::spawn(migrate(address(&database.url()), CONNECT));
    let sessions = "SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE '%advisory_lock%'";
    eventually("the migrator asks for the lock", async || database.sql(sessions).unwrap() != "0")
        .await;
    assert!(!migrating.is_finished());
    drop(table);
    done(importing.await.unwrap().unwrap());
    assert!(migrating.await.unwrap().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_without_the_migrations_is_refused() {
    let database = Database::empty().unwrap();
    let outcome =
        import(address(&database.url()), CONNECT, entries(1, 1), ImportMode::Write, |_| {}).await;
    assert!(matches!(outcome, Err(SetupError::SchemaTooOld { .. })), "{outcome:?}");
}
