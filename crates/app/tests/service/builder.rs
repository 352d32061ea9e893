//! The builder: adapters of the caller in place of the configured ones.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryWorld;
use boxoffice::{Adapter, Application, ApplicationBuilder};
use domain::concert::{ConcertCatalog, MockConcertCatalog};
use domain::queue::{MockQueueStore, QueueStore};
use domain::schedule::ScheduleBook;
use domain::{Clock, Dependency, HealthCheck, MockHealthCheck, PortError, PortErrorKind};

use crate::support::{TestApp, config_of, eventually};

/// A health check that always reports this outage.
fn down(name: &'static str) -> Arc<dyn HealthCheck> {
    let mut check = MockHealthCheck::new();
    check.expect_name().return_const(Dependency::named(name));
    let outage = move || Err(PortError::new(PortErrorKind::Unavailable, Dependency::named(name)));
    check.expect_check().returning(outage);
    Arc::new(check)
}

#[test]
fn a_replaced_catalog_is_wrapped_measured_and_checked_like_a_built_in_one() {
    let catalog = MemoryWorld::default().catalog;
    let app = TestApp::built(&[], move |builder| {
        let concerts: Arc<dyn ConcertCatalog> = Arc::clone(&catalog) as _;
        let dates: Arc<dyn ScheduleBook> = catalog;
        let shelf = Adapter::new(concerts).of_system("shelf").with_health_check(down("shelf"));
        builder.concert_catalog(shelf).schedule_book(dates)
    });
    let list = app.request("GET", "/concerts/query", &[]);
    assert_eq!(list.header("x-total-count"), "3", "{list:?}");
    let metrics = app.ops("/metrics").text;
    let is_measured = metrics.lines().any(|line| {
        line.starts_with("db_client_operation_duration_seconds_count")
            && line.contains("db_system_name=\"shelf\"")
    });
    assert!(is_measured, "{metrics}");
    let resilience = app.ops("/protection").text;
    assert!(resilience.contains("\"concerts\""), "the bulkhead is there: {resilience}");
    eventually("readiness reports the check", || app.ops("/readyz").text.contains("\"shelf\""));
}

#[test]
fn a_replaced_queue_runs_on_a_replaced_clock() {
    let world = MemoryWorld::default();
    let clock = Arc::clone(&world.clock);
    let app = TestApp::built(&[], move |builder| {
        let queue: Arc<dyn QueueStore> = world.queue;
        builder.queue_store(queue).clock(world.clock as Arc<dyn Clock>)
    });
    let token = app.token_of(7);
    assert_eq!(app.query(&token).word("status"), "CALLED");
    // One step of the queue's time is at most a second, however far the clock moves.
    eventually("the call lapses", || {
        clock.advance(Duration::from_secs(1));
        app.query(&token).word("status") == "EXPIRED"
    });
}

#[test]
fn a_port_with_two_adapters_is_named() {
    let config = config_of(&[]);
    let refused = |builder: ApplicationBuilder<'_>| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(builder.build()).err().unwrap().to_string()
    };
    let clock = || MemoryWorld::default().clock as Arc<dyn Clock>;
    let queue = || MemoryWorld::default().queue as Arc<dyn QueueStore>;
    let builder = || Application::builder(&config);
    assert_eq!(
        refused(builder().clock(clock()).clock(clock())),
        "the clock was given twice: a port has one adapter"
    );
    assert_eq!(
        refused(builder().queue_store(queue()).clock(clock()).queue_store(queue())),
        "the queue store was given twice: a port has one adapter"
    );
}

#[test]
fn a_replaced_catalog_needs_no_database_although_the_configuration_names_one() {
    let nowhere = ["catalog.store=postgres", "postgres.url=postgres://nobody@127.0.0.1:1/nothing"];
    let catalog = MemoryWorld::default().catalog;
    let app = TestApp::built(&nowhere, move |builder| {
        let (concerts, dates) = (Arc::clone(&catalog), catalog);
        let builder = builder.concert_catalog(concerts as Arc<dyn ConcertCatalog>);
        builder.schedule_book(dates as Arc<dyn ScheduleBook>)
    });
    assert_eq!(app.request("GET", "/concerts/query", &[]).header("x-total-count"), "3");
    assert!(!app.ops("/readyz").text.contains("postgres"));
}

#[test]
fn an_adapter_that_panics_fails_one_request_and_no_worker() {
    let app = TestApp::built(&[], |builder| {
        let mut catalog = MockConcertCatalog::new();
        catalog.expect_page().returning(|_| panic!("a bug in the catalog"));
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _, _| panic!("a bug in the queue store"));
        let unavailable = || PortError::new(PortErrorKind::Unavailable, Dependency::named("mock"));
        store.expect_call_next().returning(move |_, _| Err(unavailable()));
        let queue: Arc<dyn QueueStore> = Arc::new(store);
        builder.queue_store(queue).concert_catalog(Arc::new(catalog) as Arc<dyn ConcertCatalog>)
    });
    for _again in 0..3 {
        let join = app.request("POST", "/user/7/queue/token/issue", &[]);
        assert_eq!((join.status, join.word("code").as_str()), (500, "INTERNAL"), "{join:?}");
        // The cache loads on a task of its own: its readers are answered as if the load had failed.
        let list = app.request("GET", "/concerts/query", &[]);
        assert_eq!((list.status, list.word("code").as_str()), (503, "STORE_UNAVAILABLE"));
    }
}
