//! `boxoffice import`: files of concerts and their dates, on a real database.

mod faults;
mod guide;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use test_support::{
    Database, Durability, PgBouncer, PgBouncerSetup, PoolMode, Postgres, PostgresBinaries, Redis,
    RedisBinaries, RedisSetup,
};

use crate::postgres::{run, start_on};
use crate::program::{PROGRAM, boxoffice, text};
use crate::support::{TestApp, eventually};

const HEADER: &str =
    "concert_id,title,place,schedule_id,performance_at,sale_opens_at,sale_closes_at,seats";

/// An empty catalog and a folder for files.
struct Catalog {
    database: Database,
    folder: TempDir,
}

impl Catalog {
    fn new() -> Self {
        let database = Database::empty().unwrap();
        run(&database.url(), &["migrate"]);
        Self { database, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn import_with(&self, file: &Path, more: &[&str]) -> Output {
        let url = format!("postgres.url={}", self.database.url());
        let settings = ["import", file.to_str().unwrap(), "--set", &url];
        let patient = ["--set", "postgres.connect_timeout=10s"];
        boxoffice(&[&settings[..], &patient, more].concat(), &[])
    }

    /// Imports a CSV file with these rows, and returns what was printed.
    fn import(&self, rows: &[&str], more: &[&str]) -> String {
        let output = self.import_with(&self.file("concerts.csv", csv(rows)), more);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    /// The whole catalog.
    fn content(&self) -> String {
        let all = "SELECT id, title, place FROM concerts ORDER BY id; \
                   SELECT * FROM schedules ORDER BY id; \
                   SELECT * FROM seats ORDER BY schedule_id, number";
        self.database.sql(all).unwrap()
    }
}

fn csv(rows: &[&str]) -> String {
    rows.iter().fold(format!("{HEADER}\n"), |text, row| text + row + "\n")
}

fn date(concert: &str, id: u32, day: u32, seats: &str) -> String {
    format!(
        "{concert},{id},2031-05-{day:02}T20:00:00+09:00,2026-01-01T00:00:00Z,\
         2031-05-{day:02}T18:00:00+09:00,{seats}"
    )
}

/// The lines after the first one.
fn counts(concerts: [u32; 3], dates: [u32; 3], seats: [u32; 2]) -> String {
    let three = |[new, changed, unchanged]: [u32; 3]| {
        format!("{new} new, {changed} changed, {unchanged} unchanged")
    };
    let [added, removed] = seats;
    format!(
        "concerts: {}\ndates: {}\nseats: {added} added, {removed} removed\n",
        three(concerts),
        three(dates)
    )
}

const LATER: &str = "nodes show it when their cached pages expire, after 10s\n";

#[test]
fn an_import_is_served_and_a_second_one_changes_nothing() {
    let catalog = Catalog::new();
    let rows = [
        date("7,Seven,Busan", 71, 1, "3"),
        date("7,Seven,Busan", 72, 2, "2"),
        "8,Bare,,,,,,".into(),
    ];
    let rows = rows.each_ref().map(String::as_str);
    let expected = counts([2, 0, 0], [2, 0, 0], [5, 0]);
    let dry = catalog.import(&rows, &["--dry-run"]);
    assert_eq!(dry, format!("a dry run, nothing was changed\n{expected}"));
    assert_eq!(catalog.content().trim(), "");
    assert_eq!(catalog.import(&rows, &[]), format!("imported\n{expected}{LATER}"));

    let app = start_on(&catalog.database.url(), &[]);
    let page = app.request("GET", "/concerts/query", &[]);
    assert!(page.text.contains("Seven") && page.text.contains("Bare"), "{page:?}");
    let token = app.token_of(7);
    let dates = app.dates("7", &token).json();
    let served = |n: usize| (dates[n]["scheduleId"].as_u64(), dates[n]["seatsLeft"].as_u64());
    assert_eq!([served(0), served(1)], [(Some(71), Some(3)), (Some(72), Some(2))], "{dates}");
    assert_eq!(app.dates("8", &token).json(), serde_json::json!([]));

    let versions = "SELECT string_agg(xmin::text, ',' ORDER BY id) FROM schedules";
    let before = (catalog.content(), catalog.database.sql(versions).unwrap());
    let same = counts([0, 0, 2], [0, 0, 2], [0, 0]);
    assert_eq!(catalog.import(&rows, &[]), format!("imported\n{same}"));
    assert_eq!((catalog.content(), catalog.database.sql(versions).unwrap()), before);
}

#[test]
fn a_changed_file_changes_what_differs_and_keeps_sold_seats() {
    let catalog = Catalog::new();
    let first = [("Seven", 71, 1, "3"), ("Seven", 72, 2, "4"), ("Seven", 73, 3, "2")];
    let rows = |dates: &[(&str, u32, u32, &str)]| -> Vec<String> {
        let row = |(title, id, day, seats): &(&str, u32, u32, &str)| {
            date(&format!("7,{title},Busan"), *id, *day, seats)
        };
        dates.iter().map(row).collect()
    };
    let import =
        |rows: &[String]| catalog.import(&rows.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    import(&rows(&first));
    catalog.database.sql("UPDATE seats SET state = 'sold' WHERE number = 1").unwrap();
    // The title, more seats, fewer seats and another time, and a date that is not in the file.
    let second = [("Eight", 71, 1, "5"), ("Eight", 72, 9, "1"), ("Eight", 74, 4, "1")];
    let expected = counts([0, 1, 0], [1, 2, 0], [3, 3]);
    assert_eq!(import(&rows(&second)), format!("imported\n{expected}{LATER}"));
    let seats = "SELECT string_agg(schedule_id || ':' || number || state, ' ' \
                 ORDER BY schedule_id, number) FROM seats";
    assert_eq!(
        catalog.database.sql(seats).unwrap(),
        "71:1sold 71:2free 71:3free 71:4free 71:5free 72:1sold 73:1sold 73:2free 74:1free"
    );
    let left = "SELECT string_agg(id || ':' || seats_left, ' ' ORDER BY id) FROM schedules";
    assert_eq!(catalog.database.sql(left).unwrap(), "71:4 72:0 73:1 74:1");
    let moved = "SELECT title, performance_at = '2031-05-09 11:00Z' FROM concerts, schedules \
                 WHERE schedules.id = 72";
    assert_eq!(catalog.database.sql(moved).unwrap(), "Eight|t");
}

#[test]
fn two_dates_can_swap_their_times() {
    let catalog = Catalog::new();
    let import = |days: [u32; 2]| {
        let rows = [date("7,a,b", 71, days[0], "1"), date("7,a,b", 72, days[1], "1")];
        catalog.import(&rows.each_ref().map(String::as_str), &[])
    };
    import([1, 2]);
    let expected = counts([0, 0, 1], [0, 2, 0], [0, 0]);
    assert_eq!(import([2, 1]), format!("imported\n{expected}{LATER}"));
}

#[test]
fn csv_as_spreadsheets_write_it_is_read() {
    let catalog = Catalog::new();
    // A byte order mark, other line ends, another order of columns, quotes, spaces, no last end.
    let content = "\u{feff}seats, title,place,schedule_id,performance_at,sale_opens_at,\
                   sale_closes_at,concert_id\r\n\r\n\
                   2,\"A \"\"big\"\" night,\r\nlive\",서울,71,2031-05-01T20:00:00+09:00,\
                   2031-01-01T00:00:00Z,2031-05-01T00:00:00Z,7";
    let output = catalog.import_with(&catalog.file("odd.CSV", content), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let concert = "SELECT title = E'A \"big\" night,\\r\\nlive', place, seats_left \
                   FROM concerts, schedules";
    assert_eq!(catalog.database.sql(concert).unwrap(), "t|서울|2");
}

#[test]
fn json_and_csv_with_the_same_content_are_the_same() {
    let catalog = Catalog::new();
    let rows = [date("7,Seven,Busan", 71, 1, "3"), date("7,Seven,Busan", 72, 2, "0")];
    catalog.import(&rows.each_ref().map(String::as_str), &[]);
    let dates = [(71, 1, 3), (72, 2, 0)].map(|(id, day, seats)| {
        serde_json::json!({
            "schedule_id": id, "performance_at": format!("2031-05-0{day}T11:00:00Z"),
            "sale_opens_at": "2026-01-01T00:00:00Z",
            "sale_closes_at": format!("2031-05-0{day}T09:00:00Z"), "seats": seats
        })
    });
    let mut concerts =
        serde_json::json!([{"concert_id": 7, "title": "Seven", "place": "Busan", "dates": dates}]);
    let import = |concerts: &serde_json::Value| {
        let file = catalog.file("concerts", format!("\u{feff}{concerts:#}\n"));
        let output = catalog.import_with(&file, &["--format", "json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert_eq!(import(&concerts), format!("imported\n{}", counts([0, 0, 1], [0, 0, 2], [0, 0])));
    concerts[0]["title"] = "Brackets } ] and \" quotes \\".into();
    concerts[0]["dates"] = serde_json::json!([]);
    let expected = counts([0, 1, 0], [0, 0, 0], [0, 0]);
    assert_eq!(import(&concerts), format!("imported\n{expected}{LATER}"));
}

#[test]
fn an_import_that_is_killed_leaves_nothing() {
    let catalog = Catalog::new();
    let row = date("7,Seven,Busan", 71, 1, "3");
    let file = catalog.file("concerts.csv", csv(&[&row]));
    // It has written the concert and waits before the seats.
    let table = catalog.database.hold("LOCK TABLE seats IN SHARE MODE").unwrap();
    let url = format!("postgres.url={}", catalog.database.url());
    let mut command = Command::new(PROGRAM);
    command.args(["import", file.to_str().unwrap(), "--set", &url]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'seats'::regclass AND NOT granted";
    eventually("it waits", || catalog.database.sql(waits).unwrap() == "1");
    running.kill().unwrap();
    running.wait().unwrap();
    drop(table);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("the server ends the session", || catalog.database.sql(locks).unwrap() == "0");
    assert_eq!(catalog.content().trim(), "");
    let expected = counts([1, 0, 0], [1, 0, 0], [3, 0]);
    assert_eq!(catalog.import(&[&row], &[]), format!("imported\n{expected}{LATER}"));
}

#[test]
fn imports_at_the_same_time_take_turns() {
    let catalog = Catalog::new();
    let rows: Vec<String> = (1..=28).map(|n| date("7,Seven,Busan", n, n, "100")).collect();
    let file =
        catalog.file("concerts.csv", csv(&rows.iter().map(String::as_str).collect::<Vec<_>>()));
    let mut printed = std::thread::scope(|scope| {
        let import = || text(&catalog.import_with(&file, &[]).stdout).to_owned();
        let running = [scope.spawn(import), scope.spawn(import), scope.spawn(import)];
        running.map(|import| import.join().unwrap())
    });
    printed.sort();
    let all = format!("imported\n{}", counts([0, 0, 1], [0, 0, 28], [0, 0]));
    let first = format!("imported\n{}{LATER}", counts([1, 0, 0], [28, 0, 0], [2_800, 0]));
    assert_eq!(printed, [all.clone(), all, first]);
}

#[test]
fn an_import_works_behind_a_pooler() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::None).unwrap();
    let setup = PgBouncerSetup::new(PoolMode::Transaction).user("postgres", "pw");
    let bouncer = PgBouncer::start(&setup, server.address()).unwrap();
    let url = bouncer.url("postgres:pw", "postgres");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("concerts.csv");
    std::fs::write(&file, csv(&[&date("7,Seven,Busan", 71, 1, "3")])).unwrap();
    let run =
        |words: &[&str]| run(&url, &[&["--set", "postgres.pooler=transaction"], words].concat());
    run(&["migrate"]);
    let import = ["import", file.to_str().unwrap()];
    let expected = counts([1, 0, 0], [1, 0, 0], [3, 0]);
    assert_eq!(run(&import), format!("imported\n{expected}{LATER}"));
    assert_eq!(run(&import), format!("imported\n{}", counts([0, 0, 1], [0, 0, 1], [0, 0])));
    let tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'import\\_%'";
    assert_eq!(server.sql("postgres", tables).unwrap(), "0", "temporary tables");
}

#[test]
fn an_import_invalidates_the_shared_cache() {
    let catalog = Catalog::new();
    let redis = Redis::start(&RedisBinaries::find().unwrap(), RedisSetup::default()).unwrap();
    let copies = format!("redis.cache.url=redis://{}", redis.address());
    let shared = [
        "cache.store=redis",
        &copies,
        "queue.keys=c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
        "redis.cache.timeout=5s",
    ];
    let postgres = format!("postgres.url={}", catalog.database.url());
    let lasting = ["catalog.store=postgres", &postgres, "cache.concerts.ttl=1h"];
    let app = TestApp::start(&[&shared[..], &lasting].concat());
    let page = || app.request("GET", "/concerts/query", &[]);
    assert_eq!(page().status, 200, "and cached");
    let flags: Vec<&str> = shared.iter().flat_map(|setting| ["--set", *setting]).collect();
    let printed = catalog.import(&["7,Seven,Busan,,,,,"], &flags);
    assert!(printed.ends_with("invalidated in the shared cache: concerts, dates\n"), "{printed}");
    eventually("the page shows the concert", || page().text.contains("Seven"));

    drop(redis);
    let file = catalog.file("concerts.csv", csv(&["7,Eight,Busan,,,,,"]));
    let output = catalog.import_with(&file, &flags);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("run `boxoffice cache invalidate`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(catalog.database.sql("SELECT title FROM concerts").unwrap(), "Eight");
}
