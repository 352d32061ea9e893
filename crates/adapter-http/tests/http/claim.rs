//! A call is claimed by a response that serves its holder, and by nothing else.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use adapter_http::{
    HttpSettings, Lifecycle, LimiterSettings, LoadShedder, OverloadSettings, RequestTelemetry,
    Stopper, listen_public,
};
use adapter_memory::{ManualClock, MemoryCatalog, MemoryQueue, MemoryWorld};
use async_trait::async_trait;
use decorators::cache::CacheSettings;
use domain::concert::{ConcertCatalog, ConcertId, ConcertPage, PageRequest};
use domain::queue::{
    AdmissionPolicy, Called, Checkpoint, ClaimError, JoinError, Joined, NumberBounds, PlaceStatus,
    PolicySpec, QueueCounters, QueueStore, ReleaseError, Session, Shown, Snapshot, TokenClaims,
    UserId,
};
use domain::schedule::{OpenDate, ScheduleBook};
use domain::{Clock, Dependency, PortError, PortErrorKind, Timestamp};

use crate::parts::Parts;

/// How long a call may be claimed.
const CLAIM_WITHIN: Duration = Duration::from_secs(60);
/// How long a session lasts.
const SESSION_TTL: Duration = Duration::from_secs(600);
/// A concert with dates on sale.
const CONCERT: &str = "451";
/// A concert that is not cached.
const UNREAD: &str = "17";

/// A queue store that records requests about places and fails claims on demand.
struct Watched {
    queue: MemoryQueue,
    requests: Mutex<Vec<&'static str>>,
    claims_fail: Mutex<bool>,
    /// Write-locked to block claims.
    claims: tokio::sync::RwLock<()>,
}

impl Watched {
    fn note(&self, request: &'static str) {
        self.requests.lock().unwrap().push(request);
    }
}

#[async_trait]
impl QueueStore for Watched {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.queue.join(user, presented, bounds).await
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        self.queue.call_next(floor, shown).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.queue.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.queue.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        self.note("standing");
        self.queue.place_status(place).await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.note("claim");
        let _open = self.claims.read().await;
        if *self.claims_fail.lock().unwrap() {
            return Err(PortError::new(PortErrorKind::Unavailable, Dependency::QUEUE).into());
        }
        self.queue.claim(place).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.queue.release(place).await
    }
}

/// How the catalog reacts to a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer,
    Fail,
    Hang,
}

struct Catalog {
    sample: MemoryCatalog,
    does: Mutex<Does>,
    /// Requests for dates so far.
    read: Mutex<u32>,
    /// One permit for each page of the list to return.
    pages: tokio::sync::Semaphore,
}

#[async_trait]
impl ScheduleBook for Catalog {
    async fn open_dates(
        &self,
        concert: ConcertId,
        now: Timestamp,
    ) -> Result<Option<Vec<OpenDate>>, PortError> {
        *self.read.lock().unwrap() += 1;
        let does = *self.does.lock().unwrap();
        match does {
            Does::Answer => self.sample.open_dates(concert, now).await,
            Does::Fail => Err(PortError::new(PortErrorKind::Unavailable, Dependency::CATALOG)),
            Does::Hang => std::future::pending().await,
        }
    }
}

/// A page of the list holds its read permit until the test releases it.
#[async_trait]
impl ConcertCatalog for Catalog {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        self.pages.acquire().await.unwrap().forget();
        self.sample.page(request).await
    }
}

/// The service on a free port; stopped when dropped.
struct Served {
    store: Arc<Watched>,
    catalog: Arc<Catalog>,
    clock: Arc<ManualClock>,
    overload: LoadShedder,
    address: SocketAddr,
    agent: ureq::Agent,
    runtime: tokio::runtime::Runtime,
    stopper: Stopper,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn is(&self, status: u16, code: &str) -> bool {
        self.status == status && self.body.contains(&format!("\"code\":\"{code}\""))
    }

    fn word(&self, name: &str) -> &str {
        let (_, rest) = self.body.split_once(&format!("\"{name}\":\"")).unwrap();
        rest.split_once('"').unwrap().0
    }
}

impl Served {
    /// Advances time. The queue's time follows the clock by at most a second per call.
    fn pass(&self, by: Duration) {
        for _ in 0..by.as_secs() {
            self.clock.advance(Duration::from_secs(1));
            self.runtime.block_on(self.store.queue.snapshot(QueueCounters::START)).unwrap();
        }
    }

    /// With a request timeout that no test reaches.
    fn start() -> Self {
        Self::with(Duration::from_secs(60))
    }

    fn with(request_timeout: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_000).unwrap()));
        let spec = PolicySpec {
            claim_within: CLAIM_WITHIN,
            session_ttl: SESSION_TTL,
            ..PolicySpec::default()
        };
        let policy = AdmissionPolicy::new(spec).unwrap();
        let store = Arc::new(Watched {
            queue: MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>),
            requests: Mutex::default(),
            claims_fail: Mutex::new(false),
            claims: tokio::sync::RwLock::default(),
        });
        let catalog = Arc::new(Catalog {
            sample: MemoryCatalog::sample(500, clock.now()),
            does: Mutex::new(Does::Answer),
            read: Mutex::new(0),
            pages: tokio::sync::Semaphore::new(0),
        });
        let one_at_a_time = LimiterSettings { limit: 1, max_waiting: 0 };
        let overload = LoadShedder::new(&OverloadSettings {
            reading: one_at_a_time,
            ..OverloadSettings::default()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            let parts = Parts {
                clock: Arc::clone(&clock) as _,
                store: Arc::clone(&store) as _,
                catalog: Arc::clone(&catalog) as _,
                book: Arc::clone(&catalog) as _,
                cache: CacheSettings {
                    load_limit: Duration::from_secs(60),
                    ..CacheSettings::default()
                },
                overload: overload.clone(),
                ..Parts::of(&MemoryWorld::default(), policy)
            };
            let api = parts.api();
            listen_public(
                &http(request_timeout),
                api,
                Lifecycle::default(),
                RequestTelemetry::default(),
            )
            .unwrap()
        };
        let (address, stopper) = (listener.address(), listener.stopper());
        runtime.spawn(listener.run());
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { store, catalog, clock, overload, address, agent, runtime, stopper }
    }

    fn send(&self, method: &str, path: &str, token: &str) -> Answer {
        send(&self.agent, self.address, method, path, token)
    }

    /// The token of a user who is called at once.
    fn called(&self, user: u64) -> String {
        let joined = self.send("POST", &format!("/user/{user}/queue/token/issue"), "");
        assert_eq!(joined.word("status"), "CALLED");
        joined.word("waitingToken").to_owned()
    }

    fn query(&self, token: &str) -> Answer {
        self.send("GET", "/user/queue/token/query", token)
    }

    fn dates(&self, concert: &str, token: &str) -> Answer {
        self.send("GET", &format!("/concert/{concert}/date"), token)
    }

    /// Caches the dates of a concert by a request of another user.
    fn warm(&self, concert: &str) {
        assert_eq!(self.dates(concert, &self.called(99)).status, 200);
    }

    /// Requests about places since this was last called.
    fn requests(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.store.requests.lock().unwrap())
    }

    fn catalog_is_to(&self, does: Does) {
        *self.catalog.does.lock().unwrap() = does;
    }

    fn dates_read(&self) -> u32 {
        *self.catalog.read.lock().unwrap()
    }

    /// Checks that `refused` leaves a call unchanged, and that a successful response then claims
    /// it.
    fn check_that_it_claims_nothing(
        &self,
        refused: impl FnOnce(&str) -> Answer,
        code: (u16, &str),
    ) {
        let token = self.called(7);
        let before = self.query(&token);
        assert_eq!(before.word("status"), "CALLED");
        self.pass(Duration::from_secs(5));
        self.requests();
        let answer = refused(&token);
        assert!(answer.is(code.0, code.1), "{answer:?}");
        assert!(!self.requests().contains(&"claim"), "{code:?} claimed the call");
        let after = self.query(&token);
        assert_eq!(after.word("status"), "CALLED", "after {answer:?}");
        assert_eq!(
            after.word("expiresAt"),
            before.word("expiresAt"),
            "the call ends when it would have"
        );
        self.pass(Duration::from_secs(5));
        self.check_that_a_good_answer_claims(&token);
    }

    fn check_that_a_good_answer_claims(&self, token: &str) {
        self.catalog_is_to(Does::Answer);
        let answer = self.dates(CONCERT, token);
        assert_eq!(answer.status, 200, "{answer:?}");
        let active = self.query(token);
        assert_eq!(active.word("status"), "ACTIVE");
        let until: Timestamp = active.word("expiresAt").parse().unwrap();
        assert_eq!(until, self.clock.now() + SESSION_TTL, "the session starts with the response");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.stopper.stop(Duration::ZERO));
    }
}

fn http(request_timeout: Duration) -> HttpSettings {
    HttpSettings { workers: 1, request_timeout, ..HttpSettings::default() }
}

fn send(agent: &ureq::Agent, address: SocketAddr, method: &str, path: &str, token: &str) -> Answer {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}/api/v1{path}"))
        .header("waitingToken", token)
        .body(())
        .unwrap();
    let mut response = agent.run(request).unwrap();
    Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_string().unwrap(),
    }
}

#[test]
fn an_unknown_concert_claims_nothing() {
    let served = Served::start();
    let unknown = |token: &str| served.dates("999999", token);
    served.check_that_it_claims_nothing(unknown, (404, "CONCERT_NOT_FOUND"));
}

#[test]
fn a_cached_absence_claims_nothing() {
    let served = Served::start();
    let unknown = |token: &str| served.dates("999999", token);
    assert_eq!(unknown(&served.called(99)).status, 404);
    served.check_that_it_claims_nothing(unknown, (404, "CONCERT_NOT_FOUND"));
    assert_eq!(served.dates_read(), 2, "the absence, and the dates of the other concert");
}

#[test]
fn a_catalog_that_fails_claims_nothing() {
    let served = Served::start();
    served.catalog_is_to(Does::Fail);
    let failing = |token: &str| served.dates(CONCERT, token);
    served.check_that_it_claims_nothing(failing, (503, "STORE_UNAVAILABLE"));
}

#[test]
fn a_deadline_that_passes_claims_nothing() {
    let served = Served::with(Duration::from_secs(1));
    served.warm(CONCERT);
    served.catalog_is_to(Does::Hang);
    let hanging = |token: &str| served.dates(UNREAD, token);
    served.check_that_it_claims_nothing(hanging, (503, "TIMED_OUT"));
}

/// A request for the list holds the only read permit meanwhile.
fn check_that_overload_claims_nothing(served: &Served) {
    let overloaded = |token: &str| {
        std::thread::scope(|scope| {
            let list = scope.spawn(|| served.send("GET", "/concerts/query", ""));
            let limit = Instant::now() + Duration::from_secs(30);
            while served.overload.counts().reading.in_flight == 0 {
                assert!(Instant::now() < limit, "the list is not in flight");
                std::thread::yield_now();
            }
            let refused = served.dates(CONCERT, token);
            served.catalog.pages.add_permits(1);
            assert_eq!(list.join().unwrap().status, 200);
            refused
        })
    };
    served.check_that_it_claims_nothing(overloaded, (503, "OVERLOADED"));
}

#[test]
fn a_request_that_is_shed_claims_nothing() {
    check_that_overload_claims_nothing(&Served::start());
}

#[test]
fn a_request_that_is_shed_claims_nothing_even_if_the_dates_are_cached() {
    let served = Served::start();
    served.warm(CONCERT);
    check_that_overload_claims_nothing(&served);
}

#[test]
fn a_first_use_calls_the_store_once_if_the_dates_are_cached() {
    let served = Served::start();
    served.warm(CONCERT);
    let token = served.called(7);
    served.requests();
    served.check_that_a_good_answer_claims(&token);
    assert_eq!(served.requests(), ["claim", "standing"], "the second is the status query");
}

#[test]
fn each_response_in_a_session_confirms_or_claims_as_needed() {
    let served = Served::start();
    let token = served.called(7);
    assert_eq!(served.dates(CONCERT, &token).status, 200);
    for (concert, expected) in [(CONCERT, "claim"), (UNREAD, "standing"), (UNREAD, "claim")] {
        served.requests();
        assert_eq!(served.dates(concert, &token).status, 200);
        assert_eq!(served.requests(), [expected], "{concert}");
    }
}

#[test]
fn a_lapsed_call_gets_no_dates_and_reaches_no_catalog() {
    let served = Served::start();
    served.warm(CONCERT);
    let (lapsed, left) = (served.called(7), served.called(8));
    assert_eq!(served.send("DELETE", "/user/queue/token", &left).status, 204);
    served.pass(CLAIM_WITHIN);
    let read = served.dates_read();
    for token in [lapsed, left] {
        for concert in [CONCERT, UNREAD, "999999"] {
            let answer = served.dates(concert, &token);
            assert!(answer.is(410, "PLACE_GONE"), "{concert}: {answer:?}");
        }
    }
    assert_eq!(served.dates_read(), read);
}

#[test]
fn a_failed_claim_returns_the_error_and_no_dates() {
    let served = Served::start();
    let token = served.called(7);
    *served.store.claims_fail.lock().unwrap() = true;
    for how in ["loaded", "at hand"] {
        let answer = served.dates(CONCERT, &token);
        assert!(answer.is(503, "STORE_UNAVAILABLE"), "{how}: {answer:?}");
        assert!(!answer.body.contains("scheduleId"), "{how}: {answer:?}");
    }
    *served.store.claims_fail.lock().unwrap() = false;
    served.check_that_a_good_answer_claims(&token);
}

#[test]
fn a_hanging_claim_holds_no_read_permit() {
    let served = Served::start();
    let token = served.called(7);
    let closed = served.store.claims.try_write().unwrap();
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| served.dates(CONCERT, &token));
        let limit = Instant::now() + Duration::from_secs(30);
        while !served.store.requests.lock().unwrap().contains(&"claim") {
            assert!(Instant::now() < limit, "no claim was made");
            std::thread::yield_now();
        }
        assert_eq!(served.overload.counts().reading.in_flight, 0, "the only permit is free");
        drop(closed);
        assert_eq!(hanging.join().unwrap().status, 200);
    });
}
