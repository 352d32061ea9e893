//! The service and its commands on a database behind PgBouncer.

use test_support::{Durability, PgBouncer, PgBouncerSetup, PoolMode, Postgres, PostgresBinaries};

use crate::postgres::{check_without_the_database, is_ready, run, start_on};
use crate::program::{boxoffice, text};
use crate::support::eventually;

fn bouncer(mode: PoolMode, server: &Postgres) -> PgBouncer {
    let setup = PgBouncerSetup::new(mode)
        .user("postgres", "pw")
        // Seconds without attempts after a failed login; the default is 15.
        .line("server_login_retry = 1");
    PgBouncer::start(&setup, server.address()).unwrap()
}

#[test]
fn commands_and_service_work_behind_a_pooler_and_recover_with_it() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::Full).unwrap();
    for (mode, name) in [(PoolMode::Session, "session"), (PoolMode::Transaction, "transaction")] {
        server.sql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        let mut bouncer = bouncer(mode, &server);
        let url = bouncer.url("postgres:pw", name);
        let pooler = format!("postgres.pooler={name}");
        let with_pooler = |command: &[&str]| run(&url, &[&["--set", &pooler], command].concat());
        assert!(with_pooler(&["migrate"]).ends_with("the schema is current\n"));
        assert_eq!(with_pooler(&["migrate"]), "the schema is current\n");
        let sample = ["seed", "--concerts", "460", "--seats", "46000"];
        assert!(with_pooler(&sample).starts_with("added 460 concerts"));
        assert!(with_pooler(&sample).starts_with("added 0 concerts"));
        let app = start_on(
            &url,
            &[&pooler, "queue.checkpoint.store=postgres", "postgres.connect_timeout=3s"],
        );
        eventually("readiness says ready", || is_ready(&app, "ready"));
        let page = app.request("GET", "/concerts/query?page=2", &[]);
        assert_eq!(page.status, 200, "{page:?} {}", app.ops("/failures").text);
        // A number is given once the first ones are reserved.
        eventually("a user joins", || {
            app.request("POST", "/user/1/queue/token/issue", &[]).status == 200
        });
        let saved = "SELECT count(*) FROM queue_checkpoints WHERE last >= 1";
        eventually("the queue is saved", || server.sql(name, saved).unwrap() == "1");
        bouncer.kill().unwrap();
        eventually("readiness says degraded", || is_ready(&app, "degraded"));
        check_without_the_database(&app, 7);
        bouncer.restart().unwrap();
        eventually("readiness says ready", || is_ready(&app, "ready"));
        server.kill().unwrap();
        eventually("readiness says degraded", || is_ready(&app, "degraded"));
        app.token_of(9);
        let refused = app.request("GET", "/concerts/query?page=3", &[]);
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{refused:?}");
        server.restart().unwrap();
        eventually("readiness says ready", || is_ready(&app, "ready"));
        assert_eq!(app.request("GET", "/concerts/query?page=3", &[]).status, 200);
    }
}

#[test]
fn an_undeclared_pooler_stops_the_program_with_the_remedy() {
    let server = Postgres::start(PostgresBinaries::find().unwrap(), Durability::None).unwrap();
    let bouncer = bouncer(PoolMode::Transaction, &server);
    let url = format!("postgres.url={}", bouncer.url("postgres:pw", "postgres"));
    let output = boxoffice(&["--set", &url, "migrate"], &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("set `postgres.pooler` to its pool mode"), "{said}");
    assert!(said.lines().count() == 1 && !said.contains("pw"), "{said}");
}
