//! The service with its catalog in Postgres, and the commands that use the database.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use adapter_memory::SystemClock;
use domain::Clock as _;
use domain::sample_catalog::{SampleSize, concerts};
use test_support::{Database, Durability, FaultProxy, Postgres, PostgresBinaries};

use crate::program::{boxoffice, text};
use crate::support::{LIMIT, TestApp, assert_ends_as_before, eventually};

/// Size of the sample in these tests, which includes the showcase concert.
const CONCERTS: u32 = 460;

fn block_on<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

const CONNECT: std::time::Duration = std::time::Duration::from_secs(10);

fn prepare(url: &str) -> Result<(), String> {
    let address = adapter_postgres::PostgresAddress::parse(url).unwrap();
    block_on(async move {
        let sample = concerts(SampleSize::of_concerts(CONCERTS), SystemClock.now());
        adapter_postgres::migrate(address.clone(), CONNECT).await?;
        adapter_postgres::seed(address, CONNECT, sample, |_| {}).await
    })
    .map(drop)
    .map_err(|error| error.to_string())
}

/// A database filled with the sample.
pub(crate) fn database() -> Database {
    Database::create(prepare).unwrap()
}

/// Disables caching, so that every request reaches the database.
const NOTHING_KEPT: [&str; 8] = [
    "cache.store=none",
    "cache.lease=11s",
    "cache.concerts.load_limit=10s",
    "cache.concerts.local_bytes=0",
    "cache.concerts.stale_while_refreshing=0s",
    "cache.dates.load_limit=10s",
    "cache.dates.local_bytes=0",
    "cache.dates.stale_while_refreshing=0s",
];

/// The service on a database, with generous limits: a test of a limit sets its own.
pub(crate) fn start_on(url: &str, settings: &[&str]) -> TestApp {
    let at = format!("postgres.url={url}");
    let ours = [
        "catalog.store=postgres",
        &at,
        "postgres.connect_timeout=10s",
        "postgres.statement_timeout=5s",
        "postgres.lock_timeout=5s",
        "postgres.pool.size=4",
        "postgres.pool.acquire_timeout=5s",
        "http.request_timeout=20s",
        "limits.concerts.timeout=9s",
        "limits.dates.timeout=9s",
        "ops.check_every=100ms",
    ];
    TestApp::start(&[&ours[..], &NOTHING_KEPT, settings].concat())
}

fn arguments(url: &str) -> Vec<String> {
    let address = format!("postgres.url={url}");
    let settings = [&address, "postgres.connect_timeout=10s", "telemetry.log_filter=off"];
    settings.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]).collect()
}

#[test]
fn memory_and_postgres_answer_the_same() {
    let database = database();
    let (memory, postgres) = (
        TestApp::start(&[&format!("catalog.sample_concerts={CONCERTS}")]),
        start_on(&database.url(), &[]),
    );
    for path in ["/concerts/query", "/concerts/query?page=46", "/concerts/query?page=47"] {
        let (here, there) = (memory.request("GET", path, &[]), postgres.request("GET", path, &[]));
        assert_eq!((here.status, &here.text), (there.status, &there.text), "{path}");
        assert_eq!(here.header("etag"), there.header("etag"), "{path}");
    }
    let (here, there) = (memory.token_of(7), postgres.token_of(7));
    for concert in (1..=CONCERTS).chain([CONCERTS + 1, 999_999]) {
        let (here, there) = (
            memory.dates(&concert.to_string(), &here),
            postgres.dates(&concert.to_string(), &there),
        );
        if here.status == 200 {
            assert_eq!((here.status, &here.text), (there.status, &there.text), "{concert}");
        } else {
            assert_eq!(
                (here.status, here.word("code")),
                (there.status, there.word("code")),
                "{concert}"
            );
        }
    }
}

#[test]
fn a_date_that_sells_out_disappears_and_returns_with_a_seat() {
    let database = database();
    let app = start_on(&database.url(), &[]);
    let token = app.token_of(7);
    let seats = || -> Vec<u64> {
        let dates = app.dates("451", &token).json();
        dates.as_array().unwrap().iter().map(|date| date["seatsLeft"].as_u64().unwrap()).collect()
    };
    assert_eq!(seats().len(), 3);
    database.sql("UPDATE seats SET state = 'sold' WHERE schedule_id = 4512").unwrap();
    assert_eq!(seats().len(), 2);
    database
        .sql("UPDATE seats SET state = 'free' WHERE schedule_id = 4512 AND number = 3")
        .unwrap();
    assert_eq!(seats()[1], 1);
}

/// Without the database, routes that do not need it work, and the others return 503 at once without
/// revealing the cause. Returns the token of a user whose call is still unclaimed.
pub(crate) fn check_without_the_database(app: &TestApp, user: u64) -> String {
    let token = app.token_of(user);
    let before = app.query(&token);
    assert_eq!(before.status, 200, "the queue needs no database");
    for answer in [app.request("GET", "/concerts/query?page=2", &[]), app.dates("451", &token)] {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
        assert_eq!(answer.word("code"), "STORE_UNAVAILABLE");
        assert!(answer.text.contains("잠시 후 다시 시도해 주세요."), "{answer:?}");
        assert!(
            !answer.text.contains("postgres") && !answer.text.contains("127.0.0.1"),
            "{answer:?}"
        );
    }
    let after = app.query(&token);
    assert_eq!(after.word("status"), "CALLED", "an error claims no call");
    assert_ends_as_before(&after, &before);
    token
}

/// The first successful response claims the call, which the outage left untouched.
fn check_that_the_call_is_unclaimed(app: &TestApp, token: &str) {
    assert_eq!(app.dates("451", token).json().as_array().unwrap().len(), 3);
    assert_eq!(app.query(token).word("status"), "ACTIVE");
}

pub(crate) fn is_ready(app: &TestApp, status: &str) -> bool {
    let answer = app.ops("/readyz");
    assert_eq!(answer.status, 200, "a database that is down sends no traffic away: {answer:?}");
    answer.word("status") == status
}

#[test]
fn it_starts_without_the_database_and_serves_the_catalog_once_it_is_up() {
    let database = database();
    let proxy = FaultProxy::to(database.server_address().unwrap()).unwrap();
    proxy.cut();
    let app =
        start_on(&format!("postgres://postgres@{}/{}", proxy.address(), database.name()), &[]);
    eventually("readiness says degraded", || is_ready(&app, "degraded"));
    let down = app.ops("/readyz").field("down");
    assert_eq!(
        (&down[0]["dependency"], &down[0]["problem"]),
        (&"postgres".into(), &"unavailable".into())
    );
    let token = check_without_the_database(&app, 7);
    proxy.mend();
    eventually("readiness says ready", || is_ready(&app, "ready"));
    assert_eq!(app.request("GET", "/concerts/query", &[]).status, 200);
    check_that_the_call_is_unclaimed(&app, &token);
}

#[test]
fn the_service_recovers_when_the_database_comes_back() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::Full).unwrap();
    let url = server.url("postgres");
    prepare(&url).unwrap();
    let app = start_on(&url, &[]);
    assert_eq!(app.request("GET", "/concerts/query?page=2", &[]).status, 200);
    server.stop().unwrap();
    eventually("readiness says degraded", || is_ready(&app, "degraded"));
    let token = check_without_the_database(&app, 7);
    server.restart().unwrap();
    eventually("readiness says ready", || is_ready(&app, "ready"));
    check_that_the_call_is_unclaimed(&app, &token);
    server.kill().unwrap();
    eventually("readiness says degraded", || is_ready(&app, "degraded"));
    check_without_the_database(&app, 9);
    server.restart().unwrap();
    eventually("readiness says ready", || is_ready(&app, "ready"));
    assert_eq!(app.request("GET", "/concerts/query?page=3", &[]).status, 200);
}

#[test]
fn a_change_of_a_columns_type_under_load_fails_no_request() {
    let database = database();
    let app = start_on(&database.url(), &[]);
    let token = app.token_of(7);
    let (is_over, answers) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let read = || {
            while !is_over.load(Ordering::Relaxed) {
                let page = app.request("GET", "/concerts/query", &[]);
                assert_eq!(page.status, 200, "{page:?}");
                let dates = app.dates("451", &token);
                assert_eq!(dates.status, 200, "{dates:?}");
                answers.fetch_add(1, Ordering::Relaxed);
            }
        };
        let readers: Vec<_> = (0..6).map(|_| scope.spawn(read)).collect();
        for kind in ["varchar(400)", "text"] {
            let seen = answers.load(Ordering::Relaxed);
            let read_on = || {
                let some = answers.load(Ordering::Relaxed) > seen + 60;
                some || readers.iter().any(std::thread::ScopedJoinHandle::is_finished)
            };
            eventually("reading", read_on);
            database.sql(&format!("ALTER TABLE concerts ALTER COLUMN title TYPE {kind}")).unwrap();
        }
        let seen = answers.load(Ordering::Relaxed);
        eventually("reading continues", || {
            let some = answers.load(Ordering::Relaxed) > seen + 60;
            some || readers.iter().any(std::thread::ScopedJoinHandle::is_finished)
        });
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(is_ready(&app, "ready"));
}

/// Asserts that readiness is degraded in many polls over twenty health checks.
fn check_that_it_stays_degraded(app: &TestApp, cause: &str) {
    // The first reports name the terminated sessions.
    eventually("readiness says why", || {
        app.ops("/readyz").text.contains(&cause.replace('"', "\\\""))
    });
    for look in 0..200 {
        let answer = app.ops("/readyz");
        let down = answer.field("down");
        assert_eq!(
            (answer.word("status").as_str(), down.as_array().unwrap().len()),
            ("degraded", 1),
            "{look}"
        );
        assert_eq!(
            (&down[0]["dependency"], &down[0]["problem"]),
            (&"postgres".into(), &"unavailable".into())
        );
        // A new connection prepares its statements first, and its error has other words.
        assert!(down[0]["cause"].as_str().unwrap().contains(cause), "{look}: {down}");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_database_that_answers_but_cannot_be_read_is_down() {
    let database = database();
    let app = start_on(&database.url(), &[]);
    eventually("readiness says ready", || is_ready(&app, "ready"));
    database.sql("ALTER TABLE schedules RENAME TO gone").unwrap();
    eventually("readiness says degraded", || is_ready(&app, "degraded"));
    let cause = "relation \"schedules\" does not exist";
    check_that_it_stays_degraded(&app, cause);
    assert_eq!(app.dates("451", &app.token_of(7)).status, 503);
    let failures = app.ops("/failures").text;
    assert!(failures.contains(&cause.replace('"', "\\\"")), "{failures}");
    database.sql("ALTER TABLE gone RENAME TO schedules").unwrap();
    eventually("readiness says ready", || is_ready(&app, "ready"));
}

#[test]
fn a_read_only_database_is_down_only_where_the_checkpoint_is_in_it() {
    let database = database();
    let reads = start_on(&database.url(), &[]);
    let writes = start_on(&database.url(), &["queue.checkpoint.store=postgres"]);
    for app in [&reads, &writes] {
        eventually("readiness says ready", || is_ready(app, "ready"));
    }
    let name = database.name();
    // Makes new sessions read-only or writable, and ends all others.
    let set_read_only = |on: &str| {
        let set = format!(
            "SET default_transaction_read_only = off; \
             ALTER DATABASE {name} SET default_transaction_read_only = {on}; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{name}' AND application_name = 'boxoffice';"
        );
        database.sql(&set).unwrap();
    };
    set_read_only("on");
    eventually("readiness says degraded", || is_ready(&writes, "degraded"));
    check_that_it_stays_degraded(
        &writes,
        "saving a checkpoint: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)",
    );
    assert!(is_ready(&reads, "ready"));
    assert_eq!(writes.request("GET", "/concerts/query", &[]).status, 200, "reads are served");
    set_read_only("off");
    eventually("readiness says ready", || is_ready(&writes, "ready"));
}

#[test]
fn queries_beyond_the_wait_limit_are_refused_at_once() {
    let database = database();
    // A single connection.
    let one_place =
        ["postgres.pool.size=1", "postgres.pool.min_idle=1", "postgres.pool.max_waiting=0"];
    // The query on the connection waits until all others are refused.
    let patient = [
        "postgres.statement_timeout=8s",
        "postgres.lock_timeout=8s",
        "limits.dates.timeout=9s",
        "cache.dates.load_limit=10s",
    ];
    let app =
        start_on(&database.url(), &[&one_place[..], &patient, &["ops.check_every=60s"]].concat());
    let token = app.token_of(7);
    eventually("the dates are answered", || app.dates("451", &token).status == 200);
    // The check at the start also needs the connection. If it waits for the lock, all eight are
    // refused, and the next attempt is free of it.
    eventually("one query gets the connection", || {
        let lock = database.hold("LOCK TABLE schedules").unwrap();
        std::thread::scope(|scope| {
            let (answered, answers) = std::sync::mpsc::channel();
            for concert in 1..=8 {
                let (app, token, answered) = (&app, &token, answered.clone());
                scope.spawn(move || answered.send(app.dates(&concert.to_string(), token)).unwrap());
            }
            for _ in 0..7 {
                let answer = answers.recv_timeout(LIMIT).unwrap();
                assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{answer:?}");
            }
            drop(lock);
            answers.recv_timeout(LIMIT).unwrap().status == 200
        })
    });
}

/// Asserts that the program exits with one line that contains this text and no secret.
fn check_refused(url: &str, code: i32, expected: &str) {
    let mut command = arguments(url);
    command.extend(["--set".to_owned(), "catalog.store=postgres".to_owned(), "serve".to_owned()]);
    for bind in ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0"] {
        command.extend(["--set".to_owned(), bind.to_owned()]);
    }
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let output = boxoffice(&arguments, &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with("boxoffice: ") && said.lines().count() == 1, "{said}");
    assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_database_that_can_never_serve_stops_the_program_with_one_line() {
    let (database, empty) = (database(), Database::empty().unwrap());
    let guarded = format!("guarded_{}", database.name());
    let role = format!("CREATE ROLE {guarded} LOGIN PASSWORD 'right' IN ROLE with_password");
    database.sql(&role).unwrap();
    let cases = [
        ("not a url hunter2".to_owned(), 2, "postgres.url is not a Postgres URL"),
        ("postgres://shop:hunter2@db.example".to_owned(), 2, "postgres.url names no database"),
        (database.url_as(&format!("{guarded}:hunter2")), 1, "wrong password, or no such user"),
        (format!("{}_gone", database.url_as("postgres:hunter2")), 1, "there is no database"),
        (
            database.url_as(&format!("{guarded}:right")),
            1,
            "lacks a privilege: permission denied for table",
        ),
        (
            empty.url(),
            1,
            "the schema is older than this program needs (2026-11-22-000001_catalogue): run `boxoffice migrate`",
        ),
        (format!("{}?sslmode=require", database.url()), 1, "no TLS"),
    ];
    for (url, code, expected) in cases {
        check_refused(&url, code, expected);
    }
    database.sql(&format!("DROP ROLE {guarded}")).unwrap();
}

#[test]
fn a_failing_command_prints_one_line() {
    let proxy = FaultProxy::to("127.0.0.1:1".parse().unwrap()).unwrap();
    let nobody = format!("postgres://shop:hunter2@{}/shop", proxy.address());
    drop(proxy);
    for command in ["migrate", "seed"] {
        let mut line = arguments(&nobody);
        line.push(command.to_owned());
        let output = boxoffice(&line.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("cannot be reached")
                && said.lines().count() == 1
                && !said.contains("hunter2"),
            "{said}"
        );
        let output = boxoffice(&[command], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).starts_with("boxoffice: configuration: postgres.url is needed")
        );
    }
}

pub(crate) fn run(url: &str, command: &[&str]) -> String {
    let line = arguments(url);
    let arguments: Vec<&str> =
        line.iter().map(String::as_str).chain(command.iter().copied()).collect();
    let output = boxoffice(&arguments, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn the_schema_is_brought_up_and_down_by_command_and_the_sample_added_once() {
    let database = Database::empty().unwrap();
    let url = database.url();
    assert_eq!(
        run(&url, &["migrate"]),
        "applied 2026-11-22-000001_catalogue\napplied 2026-11-23-000001_queue_checkpoints\n\
         applied 2026-11-30-000001_queue_incarnations\nthe schema is current\n"
    );
    assert_eq!(run(&url, &["migrate"]), "the schema is current\n");
    let size = ["seed", "--concerts", "20", "--seats", "999"];
    assert_eq!(
        run(&url, &size),
        "added 20 concerts with 999 seats; 0 concerts already existed and are unchanged\n"
    );
    assert_eq!(
        run(&url, &size),
        "added 0 concerts with 0 seats; 20 concerts already existed and are unchanged\n"
    );
    assert_eq!(database.sql("SELECT count(*) FROM seats").unwrap(), "999");
    assert_eq!(
        run(&url, &["migrate", "--revert-last"]),
        "reverted 2026-11-30-000001_queue_incarnations\n"
    );
    for (migration, table) in [
        ("2026-11-23-000001_queue_checkpoints", "queue_checkpoints"),
        ("2026-11-22-000001_catalogue", "concerts"),
    ] {
        assert_eq!(run(&url, &["migrate", "--revert-last"]), format!("reverted {migration}\n"));
        assert_eq!(database.sql(&format!("SELECT to_regclass('{table}') IS NULL")).unwrap(), "t");
    }
    let refused = boxoffice(&["seed", "--concerts", "20", "--seats", "1"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        text(&refused.stderr),
        "boxoffice: a sample has 3 to 100000 seats for each concert\n"
    );
}

#[test]
fn ten_programs_that_start_together_migrate_once() {
    let database = Database::empty().unwrap();
    let said: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> =
            (0..10).map(|_| scope.spawn(|| run(&database.url(), &["migrate"]))).collect();
        running.into_iter().map(|program| program.join().unwrap()).collect()
    });
    assert_eq!(said.iter().filter(|said| said.contains("applied")).count(), 1, "{said:?}");
    assert!(said.iter().all(|said| said.ends_with("the schema is current\n")), "{said:?}");
}

#[test]
fn tls_is_used_when_asked_for_and_only_with_a_server_that_can_prove_itself() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::None).unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    server.offer_tls(&made.cert.pem(), &made.signing_key.serialize_pem()).unwrap();
    // This user may connect only with TLS, which shows that the connection is encrypted.
    server.sql("postgres", "CREATE ROLE private LOGIN SUPERUSER").unwrap();
    server.take_only_tls_from("private").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (trusted, other) =
        (file("trusted.pem", made.cert.pem()), file("other.pem", stranger.cert.pem()));
    let url = server.url("postgres").replace("postgres@", "private@");
    let migrate = |url: &str, roots: &str| {
        let line = arguments(url);
        let words: Vec<&str> = line.iter().map(String::as_str).chain(["migrate"]).collect();
        boxoffice(&words, &[("SSL_CERT_FILE", roots)])
    };
    let tls = format!("{url}?sslmode=require");
    eventually("without TLS the server refuses the user", || {
        text(&migrate(&url, &trusted).stderr).contains("refuses the user")
    });
    let refused = migrate(&tls, &other);
    let said = text(&refused.stderr);
    assert!(said.starts_with("boxoffice: no TLS: ") && said.contains("certificate"), "{said}");
    let done = migrate(&tls, &trusted);
    assert!(done.status.success(), "{}", text(&done.stderr));
}
