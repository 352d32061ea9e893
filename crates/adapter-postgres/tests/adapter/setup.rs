//! The errors an operator sees for an unusable database.

use adapter_postgres::{SetupError, check_schema};
use test_support::{Database, FaultProxy};

use crate::support::{LIMITS, POOL, address, database, pool};

async fn refusal(url: &str) -> (bool, String) {
    let error = check_schema(&pool(url, LIMITS, &POOL)).await.unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
    (error.is_transient(), line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_user_can_use_a_database_with_the_schema() {
    let database = database();
    check_schema(&pool(&database.url(), LIMITS, &POOL)).await.unwrap();
    let reader = format!("reader_{}", database.name());
    let grant = format!(
        "CREATE ROLE {reader} LOGIN; GRANT SELECT ON concerts, schedules, __diesel_schema_migrations TO {reader}"
    );
    database.sql(&grant).unwrap();
    check_schema(&pool(&database.url_as(&reader), LIMITS, &POOL)).await.unwrap();
    database.sql(&format!("REVOKE ALL ON schedules FROM {reader}")).unwrap();
    let (is_transient, line) = refusal(&database.url_as(&reader)).await;
    assert!(
        !is_transient && line.contains(&format!("the user \"{reader}\" lacks a privilege")),
        "{line}"
    );
    assert!(line.contains("schedules"), "{line}");
    database.sql(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_missing_database_have_different_errors() {
    let database = database();
    let user = format!("guarded_{}", database.name());
    database
        .sql(&format!("CREATE ROLE {user} LOGIN PASSWORD 'right' IN ROLE with_password"))
        .unwrap();
    for password in ["", ":hunter2"] {
        let (is_transient, line) = refusal(&database.url_as(&format!("{user}{password}"))).await;
        assert!(!is_transient && line.contains("password"), "{line}");
    }
    let (is_transient, line) = refusal(&database.url_as(&format!("{user}:right"))).await;
    assert!(!is_transient && line.contains("lacks a privilege"), "{line}");
    let nowhere = format!("{}_is_not_there", database.url());
    let (is_transient, line) = refusal(&nowhere).await;
    assert!(!is_transient && line.contains("there is no database"), "{line}");
    database.sql(&format!("DROP ROLE {user}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_a_transient_error() {
    let proxy = FaultProxy::to(database().server_address().unwrap()).unwrap();
    let at = proxy.address();
    proxy.cut();
    let (is_transient, line) = refusal(&format!("postgres://postgres:hunter2@{at}/shop")).await;
    assert!(
        is_transient
            && line.starts_with(&format!("Postgres at {at}/shop as postgres cannot be reached")),
        "{line}"
    );
    drop(proxy);
    let (is_transient, line) = refusal(&format!("postgres://postgres:hunter2@{at}/shop")).await;
    assert!(is_transient && line.contains("refused"), "{line}");
    let (is_transient, line) = refusal("postgres://postgres@no-such-host.invalid/shop").await;
    assert!(is_transient && line.contains("no-such-host.invalid"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_schema_names_the_missing_migration_and_the_remedy() {
    let database = Database::empty().unwrap();
    let (is_transient, line) = refusal(&database.url()).await;
    assert!(
        !is_transient && line.contains("(2026-11-22-000001_catalogue): run `boxoffice migrate`"),
        "{line}"
    );
    adapter_postgres::migrate(address(&database.url()), LIMITS.connect).await.unwrap();
    database
        .sql("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')")
        .unwrap();
    check_schema(&pool(&database.url(), LIMITS, &POOL)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requiring_tls_never_falls_back_to_plain_text() {
    let database = database();
    let error = check_schema(&pool(&format!("{}?sslmode=require", database.url()), LIMITS, &POOL))
        .await
        .unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(matches!(error, SetupError::Tls { .. }), "{error:?}");
}
