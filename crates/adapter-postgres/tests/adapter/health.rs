//! When the database is reported down, and for which reason.

use adapter_postgres::{Postgres, PostgresDependency, PostgresUse};
use domain::sample_catalog::{SampleSize, concerts};
use domain::{HealthCheck as _, PortErrorKind};
use test_support::Database;

use crate::pooler::Pooler;
use crate::schema::from_the_page;
use crate::support::{LIMITS, POOL, database, eventually, fill, pool};

const EVERYTHING: PostgresUse = PostgresUse { catalog: true, checkpoints: true };

async fn filled() -> Database {
    let database = database();
    let sample = concerts(SampleSize::of_concerts(3), "2026-05-04T12:00:00Z".parse().unwrap());
    fill(&database.url(), sample.collect()).await;
    database
}

fn dependency(pool: &Postgres, uses: PostgresUse) -> PostgresDependency {
    PostgresDependency::new(pool.clone(), uses)
}

async fn cause(dependency: &PostgresDependency) -> Option<String> {
    let error = dependency.check().await.err()?;
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    Some(std::error::Error::source(&error).unwrap().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_down_while_any_call_fails_and_the_reason_names_the_call() {
    let database = filled().await;
    let service = format!("service_{}", database.name());
    let grants =
        from_the_page("GRANT SELECT ON concerts", 2).replace("boxoffice_service", &service);
    database.sql(&format!("CREATE ROLE {service} LOGIN; {grants}")).unwrap();
    let pool = pool(&database.url_as(&service), LIMITS, &POOL);
    let dependency = dependency(&pool, EVERYTHING);
    assert_eq!(cause(&dependency).await, None, "the documented grants are enough");
    let revoke = |right: &str, table: &str| {
        let undo = format!("GRANT {right} ON {table} TO {service}");
        let why = format!("permission denied for table {table} (SQLSTATE 42501)");
        (format!("REVOKE {right} ON {table} FROM {service}"), undo, why)
    };
    let rename = |what: &str, from: &str, to: &str, why: &str| {
        let change = |from, to| format!("ALTER TABLE {what} RENAME {from} TO {to}");
        (change(from, to), change(to, from), why.to_owned())
    };
    let no_column = "column \"place\" does not exist (SQLSTATE 42703)";
    let cases = [
        ("page of concerts", revoke("SELECT", "concerts")),
        ("page of concerts", rename("concerts", "place", "venue", no_column)),
        ("open dates", revoke("SELECT", "schedules")),
        ("loading a checkpoint", revoke("SELECT", "queue_checkpoints")),
        ("saving a checkpoint", revoke("INSERT", "queue_checkpoints")),
        ("saving a checkpoint", revoke("UPDATE", "queue_checkpoints")),
    ];
    for (query, (breaks, mends, why)) in cases {
        database.sql(&breaks).unwrap();
        for _ in 0..5 {
            assert_eq!(cause(&dependency).await, Some(format!("{query}: {why}")), "{breaks}");
        }
        database.sql(&mends).unwrap();
        assert_eq!(cause(&dependency).await, None, "{mends}");
    }
    database.sql(&format!("DROP OWNED BY {service}; DROP ROLE {service}")).unwrap();
}

/// Makes new sessions read-only, or writable, and ends all others.
fn let_only_read(database: &Database, on: &str) {
    let name = database.name();
    let set = format!(
        "SET default_transaction_read_only = off; \
         ALTER DATABASE {name} SET default_transaction_read_only = {on}; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = '{name}' AND application_name = 'boxoffice';"
    );
    database.sql(&set).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_down_only_if_it_stores_checkpoints() {
    let database = filled().await;
    let pool = pool(&database.url(), LIMITS, &POOL);
    let reads = dependency(&pool, PostgresUse { catalog: true, checkpoints: false });
    let writes = dependency(&pool, EVERYTHING);
    assert_eq!((cause(&reads).await, cause(&writes).await), (None, None));
    let_only_read(&database, "on");
    let read_only =
        "saving a checkpoint: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)";
    for _ in 0..20 {
        assert_eq!(cause(&writes).await.as_deref(), Some(read_only));
        assert_eq!(cause(&reads).await, None);
    }
    let_only_read(&database, "off");
    eventually("it is up", async || cause(&writes).await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_repairs_connections_and_writes_nothing() {
    let database = filled().await;
    let (pooler, url) = Pooler::before(&database).await;
    let dependency = dependency(&pool(&url, LIMITS, &POOL), EVERYTHING);
    assert_eq!(cause(&dependency).await, None);
    database.sql("ALTER TABLE concerts ALTER COLUMN title TYPE varchar(400)").unwrap();
    assert_eq!(cause(&dependency).await, None);
    pooler.run_on_each("DEALLOCATE ALL").await;
    assert_eq!(cause(&dependency).await, None);
    assert_eq!((pooler.errors("0A000"), pooler.errors("26000")), (1, 1));
    // Even a rolled-back row would have allocated a page.
    assert_eq!(database.sql("SELECT pg_relation_size('queue_checkpoints')").unwrap(), "0");
}
