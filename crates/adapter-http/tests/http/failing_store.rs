//! Responses when a store is down, hangs or breaks. The stores of this workspace cannot fail on
//! demand, so these tests use mocks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{HttpSettings, Lifecycle, Listener, RequestTelemetry, Stopper, listen_public};
use adapter_memory::MemoryWorld;
use async_trait::async_trait;
use domain::concert::{ConcertCatalog, ConcertPage, MockConcertCatalog, PageRequest};
use domain::queue::{
    AdmissionPolicy, Expiry, Incarnation, Joined, MockQueueStore, PlaceStatus, QueueCounters,
    QueueId, QueueNumber, QueueTime, TokenClaims, TokenSigner as _, UserId,
};
use domain::schedule::{MockScheduleBook, ScheduleBook};
use domain::{Dependency, PortError, PortErrorKind, Timestamp};

use crate::parts::{Parts, keys};

fn for_ever() -> Expiry {
    Expiry::new(QueueTime::from_micros(1 << 50), QueueTime::START)
}

/// A cause that no response may contain.
const CAUSE: &str = "connection to 10.1.2.3:5432 refused for user admin";

fn down() -> PortError {
    PortError::new(PortErrorKind::Unavailable, Dependency::QUEUE).because(CAUSE)
}

/// A token for this number.
fn token(number: u64) -> String {
    let place = TokenClaims {
        incarnation: Incarnation::new(1).unwrap(),
        queue: QueueId::parse("main").unwrap(),
        number: QueueNumber::new(number).unwrap(),
        user: UserId::new(7).unwrap(),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    keys().sign(&place).as_str().to_owned()
}

/// The service with these stores, on a free port; stopped when dropped.
struct Served {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    stopper: Stopper,
}

impl Served {
    fn over(
        store: MockQueueStore,
        catalog: Arc<dyn ConcertCatalog>,
        book: Arc<dyn ScheduleBook>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener: Listener = {
            let _inside = runtime.enter();
            let parts = Parts::of(&MemoryWorld::default(), AdmissionPolicy::default());
            let api = Parts { store: Arc::new(store), catalog, book, ..parts }.api();
            listen_public(&settings(), api, Lifecycle::default(), RequestTelemetry::default())
                .unwrap()
        };
        let (address, stopper) = (listener.address(), listener.stopper());
        runtime.spawn(listener.run());
        Self { address, runtime, stopper }
    }

    fn over_store(store: MockQueueStore) -> Self {
        let catalog = MemoryWorld::default().catalog;
        Self::over(store, Arc::clone(&catalog) as Arc<dyn ConcertCatalog>, catalog)
    }

    /// Status, `Retry-After` and body.
    fn send(&self, method: &str, path: &str, token: &str) -> (u16, String, String) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}/api/v1{path}", self.address))
            .header("waitingToken", token)
            .body(())
            .unwrap();
        let mut response = agent.run(request).unwrap();
        let wait = response
            .headers()
            .get("retry-after")
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        (response.status().as_u16(), wait, response.body_mut().read_to_string().unwrap())
    }

    fn check_unavailable(&self, method: &str, path: &str, token: &str, code: &str) {
        let (status, wait, body) = self.send(method, path, token);
        assert_eq!((status, wait.as_str()), (503, "1"), "{method} {path}: {body}");
        assert!(body.contains(&format!("\"code\":\"{code}\"")), "{method} {path}: {body}");
        assert!(body.contains("잠시 후 다시 시도해 주세요."), "{body}");
        assert!(
            !body.contains("10.1.2.3") && !body.contains("admin"),
            "the cause is only logged: {body}"
        );
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.stopper.stop(Duration::ZERO));
    }
}

fn settings() -> HttpSettings {
    HttpSettings {
        workers: 1,
        request_timeout: Duration::from_millis(200),
        ..HttpSettings::default()
    }
}

fn failing_store() -> MockQueueStore {
    let mut store = MockQueueStore::new();
    store.expect_join().returning(|_, _, _| Err(down().into()));
    store.expect_release().returning(|_| Err(down().into()));
    store
}

#[test]
fn a_store_that_is_down_is_503_only_for_routes_that_need_it() {
    let served = Served::over_store(failing_store());
    served.check_unavailable("POST", "/user/7/queue/token/issue", "", "STORE_UNAVAILABLE");
    served.check_unavailable("DELETE", "/user/queue/token", &token(3), "STORE_UNAVAILABLE");
    let (status, _, body) = served.send("GET", "/user/queue/token/query", &token(3));
    assert_eq!(status, 200, "a status query needs no store: {body}");
    assert_eq!(served.send("GET", "/concerts/query", "").0, 200, "nor does the concert list");
}

#[test]
fn an_open_breaker_is_503_with_its_remaining_time() {
    let mut store = MockQueueStore::new();
    store.expect_join().returning(|_, _, _| {
        let refused = PortError::new(PortErrorKind::Refused, Dependency::QUEUE);
        Err(refused.retry_after(Duration::from_millis(6_200)).into())
    });
    let served = Served::over_store(store);
    let (status, wait, body) = served.send("POST", "/user/7/queue/token/issue", "");
    assert_eq!((status, wait.as_str()), (503, "7"), "{body}");
    assert!(body.contains("잠시 후 다시 시도해 주세요."), "{body}");
}

#[test]
fn a_hanging_store_is_given_up_at_the_timeout() {
    let mut store = MockQueueStore::new();
    store
        .expect_join()
        .returning(|_, _, _| Err(PortError::new(PortErrorKind::Timeout, Dependency::QUEUE).into()));
    let hanging: Arc<dyn ConcertCatalog> = Arc::new(Hanging);
    let book = MemoryWorld::default().catalog;
    let served = Served::over(store, hanging, book);
    served.check_unavailable("GET", "/concerts/query", "", "TIMED_OUT");
    served.check_unavailable("POST", "/user/7/queue/token/issue", "", "STORE_UNAVAILABLE");
}

/// A catalog that never answers.
struct Hanging;

#[async_trait]
impl ConcertCatalog for Hanging {
    async fn page(&self, _: PageRequest) -> Result<ConcertPage, PortError> {
        std::future::pending().await
    }
}

#[test]
fn a_catalog_that_is_down_does_not_stop_the_queue_and_is_called_again() {
    let mut catalog = MockConcertCatalog::new();
    let mut requested = 0;
    catalog.expect_page().times(2).returning(move |request| {
        requested += 1;
        if requested == 1 {
            Err(down())
        } else {
            Ok(ConcertPage { request, concerts: vec![], total: 0 })
        }
    });
    let mut book = MockScheduleBook::new();
    book.expect_open_dates().returning(|_, _| Err(down()));
    let mut store = MockQueueStore::new();
    store.expect_join().returning(|_, _, _| {
        let number = QueueNumber::new(3).unwrap();
        let place_status = PlaceStatus::Called { until: for_ever() };
        let counters = QueueCounters::new(3, 3);
        Ok(Joined {
            incarnation: Incarnation::new(1).unwrap(),
            number,
            rejoined: false,
            place_status,
            counters,
        })
    });
    // No claim is expected: a mock panics at an unexpected call.
    store.expect_place_status().returning(|_| Ok(PlaceStatus::Called { until: for_ever() }));
    let served = Served::over(store, Arc::new(catalog), Arc::new(book));
    served.check_unavailable("GET", "/concerts/query", "", "STORE_UNAVAILABLE");
    assert_eq!(served.send("GET", "/concerts/query", "").2, "[]", "a failure is not cached");
    assert_eq!(
        served.send("GET", "/concerts/query", "").2,
        "[]",
        "and a cached page is not loaded again"
    );
    assert_eq!(served.send("POST", "/user/7/queue/token/issue", "").0, 200);
    served.check_unavailable("GET", "/concert/451/date", &token(3), "STORE_UNAVAILABLE");
}
