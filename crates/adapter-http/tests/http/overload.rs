//! Black-box tests of load shedding and rate limits.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adapter_http::{
    AddressFrom, Api, HttpSettings, Lifecycle, LimiterCounts, LimiterSettings, LoadShedder,
    OverloadSettings, Rate, RequestTelemetry, Stopper, listen_public,
};
use adapter_memory::{MemoryCatalog, MemoryQueue, MemoryWorld, SystemClock};
use async_trait::async_trait;
use domain::concert::{ConcertCatalog, ConcertPage, PageRequest};
use domain::queue::{
    AdmissionPolicy, Called, Checkpoint, ClaimError, JoinError, Joined, NumberBounds, PlaceStatus,
    PollInterval, QueueCounters, QueueStore, ReleaseError, Session, Shown, Snapshot, TokenClaims,
    UserId,
};
use domain::{Clock, PortError, Timestamp};

use crate::parts::Parts;

const TRY_AGAIN_KOREAN: &str = "잠시 후 다시 시도해 주세요.";
const TRY_AGAIN_ENGLISH: &str = "Please try again shortly.";

/// A queue store that never answers a join of user 13, nor the status of user 14.
struct StuckOn13(MemoryQueue);

#[async_trait]
impl QueueStore for StuckOn13 {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        if user.get() == 13 {
            std::future::pending().await
        } else {
            self.0.join(user, presented, bounds).await
        }
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        self.0.call_next(floor, shown).await
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        self.0.snapshot(floor).await
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.0.settle(generation, checkpoint).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        if place.user.get() == 14 {
            return std::future::pending().await;
        }
        self.0.place_status(place).await
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        self.0.claim(place).await
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        self.0.release(place).await
    }
}

/// A catalog that never returns the second page.
struct StuckOnPage2(MemoryCatalog);

#[async_trait]
impl ConcertCatalog for StuckOnPage2 {
    async fn page(&self, request: PageRequest) -> Result<ConcertPage, PortError> {
        if request.number.get() == 2 {
            std::future::pending().await
        } else {
            self.0.page(request).await
        }
    }
}

/// The service with these limits, on a free port; stopped when dropped.
struct Served {
    address: SocketAddr,
    overload: LoadShedder,
    agent: ureq::Agent,
    runtime: tokio::runtime::Runtime,
    stopper: Stopper,
}

struct Answer {
    status: u16,
    wait: String,
    body: String,
}

impl Served {
    /// `nearest` is roughly the poll interval of waiting users.
    fn with(settings: &OverloadSettings, nearest: Duration) -> Self {
        let overload = LoadShedder::new(settings);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            let api = api(overload.clone(), nearest);
            listen_public(&http(), api, Lifecycle::default(), RequestTelemetry::default()).unwrap()
        };
        let (address, stopper) = (listener.address(), listener.stopper());
        runtime.spawn(listener.run());
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        Self { address, overload, agent, runtime, stopper }
    }

    fn limited(settings: &OverloadSettings) -> Self {
        Self::with(settings, Duration::from_secs(1))
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.agent, self.address, method, path, headers)
    }

    fn join(&self, user: u64) -> Answer {
        self.send("POST", &format!("/user/{user}/queue/token/issue"), &[])
    }

    fn token_of(&self, user: u64) -> String {
        let body = self.join(user).body;
        let (_, rest) = body.split_once("\"waitingToken\":\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn query(&self, token: &str) -> Answer {
        self.send("GET", "/user/queue/token/query", &[("waitingToken", token)])
    }

    /// Starts a request that gets no response before the timeout.
    fn stuck(&self, method: &'static str, path: &'static str) -> JoinHandle<Answer> {
        self.stuck_with(method, path, "")
    }

    fn stuck_with(
        &self,
        method: &'static str,
        path: &'static str,
        token: &str,
    ) -> JoinHandle<Answer> {
        let (agent, address, token) = (self.agent.clone(), self.address, token.to_owned());
        std::thread::spawn(move || send(&agent, address, method, path, &[("waitingToken", &token)]))
    }

    fn wait(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let limit = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < limit, "not in time: {what}");
            self.wait(Duration::from_millis(2));
        }
    }

    /// Sends these bytes on one connection and returns everything it receives.
    fn raw(&self, requests: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        answers
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.runtime.block_on(self.stopper.stop(Duration::ZERO));
    }
}

fn api(overload: LoadShedder, nearest: Duration) -> Api {
    let policy = AdmissionPolicy::default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sample = || MemoryCatalog::sample(500, Timestamp::UNIX_EPOCH);
    let parts = Parts {
        store: Arc::new(StuckOn13(MemoryQueue::new(policy, Arc::clone(&clock)))),
        clock,
        poll_interval: PollInterval::new(nearest, nearest).unwrap(),
        catalog: Arc::new(StuckOnPage2(sample())),
        book: Arc::new(sample()),
        overload,
        ..Parts::of(&MemoryWorld::default(), policy)
    };
    parts.api()
}

fn http() -> HttpSettings {
    HttpSettings { workers: 1, request_timeout: Duration::from_secs(3), ..HttpSettings::default() }
}

fn send(
    agent: &ureq::Agent,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request =
        ureq::http::Request::builder().method(method).uri(format!("http://{address}/api/v1{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(()).unwrap()).unwrap();
    let wait = response
        .headers()
        .get("retry-after")
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    Answer {
        status: response.status().as_u16(),
        wait,
        body: response.body_mut().read_to_string().unwrap(),
    }
}

fn check_refused(answer: &Answer, expected: (u16, &str), try_again: &str) {
    let Answer { status, wait, body } = answer;
    assert_eq!(*status, expected.0, "{body}");
    assert!(
        body.contains(&format!("\"code\":\"{}\"", expected.1)) && body.contains(try_again),
        "{body}"
    );
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "Retry-After: {wait}");
}

/// Returns the first refusal; on a slow machine a rate may recover between two requests.
fn refused(send: impl Fn() -> Answer) -> Answer {
    let mut answers = std::iter::repeat_with(send).take(100);
    answers.find(|answer| answer.status != 200 && answer.status != 404).unwrap()
}

const OVERLOADED: (u16, &str) = (503, "OVERLOADED");
const TOO_MANY: (u16, &str) = (429, "TOO_MANY_REQUESTS");

fn limiter(limit: u32, max_waiting: u32) -> LimiterSettings {
    LimiterSettings { limit, max_waiting }
}

fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    Some(Rate { per_second: NonZeroU32::new(per_second)?, burst: NonZeroU32::new(burst)? })
}

#[test]
fn hanging_joins_stop_neither_queries_nor_reads_and_new_joins_are_refused_quickly() {
    let small = limiter(2, 8);
    let settings = OverloadSettings {
        joining: small,
        asking: small,
        reading: small,
        ..OverloadSettings::default()
    };
    let served = Served::limited(&settings);
    let token = served.token_of(7);
    let stuck: Vec<_> =
        (0..2).map(|_| served.stuck("POST", "/user/13/queue/token/issue")).collect();
    served.wait_until("both in flight", || served.overload.counts().joining.in_flight == 2);

    let start = Instant::now();
    check_refused(&served.join(8), OVERLOADED, TRY_AGAIN_KOREAN);
    let english = [("waitingToken", token.as_str()), ("accept-language", "en")];
    check_refused(
        &served.send("DELETE", "/user/queue/token", &english),
        OVERLOADED,
        TRY_AGAIN_ENGLISH,
    );
    assert!(start.elapsed() < Duration::from_secs(2), "refused after {:?}", start.elapsed());
    assert_eq!(served.query(&token).status, 200);
    assert_eq!(served.send("GET", "/concerts/query", &[]).status, 200);
    assert_eq!(served.send("GET", "/concert/451/date", &[("waitingToken", &token)]).status, 200);

    for stuck in stuck {
        check_refused(&stuck.join().unwrap(), (503, "TIMED_OUT"), TRY_AGAIN_KOREAN);
    }
    assert_eq!(served.join(8).status, 200, "a request that timed out releases its permit");
    let counts = served.overload.counts();
    assert_eq!(counts.joining, LimiterCounts { passed: 4, refused: 2, ..LimiterCounts::default() });
    assert_eq!((counts.asking.passed, counts.reading.passed), (1, 2));
}

#[test]
fn hanging_reads_stop_neither_joins_nor_queries_and_a_refused_connection_stays_open() {
    let settings = OverloadSettings { reading: limiter(1, 0), ..OverloadSettings::default() };
    let served = Served::limited(&settings);
    let stuck = served.stuck("GET", "/concerts/query?page=2");
    served.wait_until("in flight", || served.overload.counts().reading.in_flight == 1);
    let token = served.token_of(7);
    assert_eq!(served.query(&token).status, 200);

    let head = "HEAD /api/v1/concerts/query HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = format!(
        "GET /api/v1/user/queue/token/query HTTP/1.1\r\nHost: x\r\nwaitingToken: {token}\r\nConnection: close\r\n\r\n"
    );
    let answers = served.raw(&format!("{head}{last}"));
    let (refused, answered) = answers.split_once("\r\n\r\n").unwrap();
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1"),
        "{answers}"
    );
    assert!(
        answered.starts_with("HTTP/1.1 200 "),
        "no body after HEAD, then the next response: {answers}"
    );
    assert_eq!(stuck.join().unwrap().status, 503);
}

#[test]
fn a_user_who_joins_too_often_is_refused_and_no_other_user_is() {
    let settings = OverloadSettings { per_user: rate(1, 3), ..OverloadSettings::default() };
    let served = Served::limited(&settings);
    let token = served.token_of(7);
    assert_eq!((served.join(7).status, served.join(7).status), (200, 200), "a burst of three");
    check_refused(&refused(|| served.join(7)), TOO_MANY, TRY_AGAIN_KOREAN);
    let english = [("accept-language", "en-US,ko;q=0.5")];
    let english = refused(|| served.send("POST", "/user/7/queue/token/issue", &english));
    check_refused(&english, TOO_MANY, TRY_AGAIN_ENGLISH);
    assert!(
        !english.body.contains("user"),
        "the response does not say which limit it was: {}",
        english.body
    );
    assert_eq!((served.join(8).status, served.query(&token).status), (200, 200));
    assert_eq!(served.overload.counts().per_user_refused, 2);
    served.wait(Duration::from_millis(1_100));
    assert_eq!(served.join(7).status, 200, "a second later");
}

#[test]
fn an_address_over_its_rate_is_refused_on_every_route() {
    let settings = OverloadSettings { per_address: rate(1, 3), ..OverloadSettings::default() };
    let served = Served::limited(&settings);
    for claimed in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(
            served.send("GET", "/concerts/query", &[("x-forwarded-for", claimed)]).status,
            200
        );
    }
    for (method, path) in
        [("GET", "/concerts/query"), ("POST", "/user/7/queue/token/issue"), ("GET", "/none")]
    {
        let answer = refused(|| served.send(method, path, &[("x-forwarded-for", "192.0.2.4")]));
        check_refused(&answer, TOO_MANY, TRY_AGAIN_KOREAN);
    }
    assert_eq!(served.overload.counts().per_address_refused, 3);
    let body =
        "POST /api/v1/user/7/queue/token/issue HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    let last = "GET /api/v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = served.raw(&format!("{body}{last}"));
    assert!(answers.starts_with("HTTP/1.1 429 "), "{answers}");
    assert!(!answers.contains("HTTP/1.1 400"), "a body is not parsed as a request: {answers}");
}

#[test]
fn behind_a_proxy_its_entry_is_the_address_and_an_ipv6_64_counts_as_one() {
    let settings = OverloadSettings {
        per_address: rate(1, 2),
        address_from: AddressFrom::XForwardedFor { trusted_hops: NonZeroU32::MIN },
        ..OverloadSettings::default()
    };
    let served = Served::limited(&settings);
    let send = |from: &str| served.send("GET", "/concerts/query", &[("x-forwarded-for", from)]);
    for (from, expected) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("203.0.113.77, 192.0.2.1", 429),
        ("192.0.2.1, 203.0.113.77", 200),
        ("2001:db8:1:2::1", 200),
        ("2001:db8:1:2:ffff::9", 200),
        ("2001:db8:1:2:a:b:c:d", 429),
        ("2001:db8:1:3::1", 200),
    ] {
        let answer = if expected == 200 { send(from) } else { refused(|| send(from)) };
        assert_eq!(answer.status, expected, "{from}");
    }
}

#[test]
fn polling_far_too_often_is_refused_and_a_forged_token_is_still_invalid() {
    let settings =
        OverloadSettings { max_poll_multiple: NonZeroU32::new(4), ..OverloadSettings::default() };
    let served = Served::with(&settings, Duration::from_secs(20));
    let (hasty, patient) = (served.token_of(7), served.token_of(8));
    let answers: Vec<_> = (0..50).map(|_| served.query(&hasty)).collect();
    let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    // Five if the intervals were equal; they vary by up to a fifth either way.
    assert!((4..=8).contains(&good.len()), "{} answered", good.len());
    for answer in &refused {
        check_refused(answer, TOO_MANY, TRY_AGAIN_KOREAN);
        assert!(answer.wait.parse::<u64>().unwrap() <= 6, "a quarter of 24 s: {}", answer.wait);
    }
    assert_eq!(served.overload.counts().polling_refused, refused.len() as u64);
    assert_eq!(served.query(&patient).status, 200, "another number is not affected");
    for _ in 0..50 {
        assert_eq!(served.query("forged").status, 401);
    }
}

#[test]
fn concurrent_queries_are_refused_before_they_reach_the_store() {
    let settings =
        OverloadSettings { max_poll_multiple: NonZeroU32::new(4), ..OverloadSettings::default() };
    let served = Served::with(&settings, Duration::from_secs(20));
    let token = served.token_of(14);
    let requested: Vec<_> =
        (0..40).map(|_| served.stuck_with("GET", "/user/queue/token/query", &token)).collect();
    let answers: Vec<_> =
        requested.into_iter().map(|requested| requested.join().unwrap()).collect();
    let (refused, stuck): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 429);
    assert_eq!((stuck.len(), refused.len()), (5, 35));
    for answer in stuck {
        check_refused(answer, (503, "TIMED_OUT"), TRY_AGAIN_KOREAN);
    }
    assert_eq!(served.overload.counts().asking.passed, 5);
}

#[test]
fn a_query_that_a_full_gate_refuses_is_not_charged() {
    let settings = OverloadSettings {
        max_poll_multiple: NonZeroU32::new(4),
        asking: limiter(1, 0),
        ..OverloadSettings::default()
    };
    let served = Served::with(&settings, Duration::from_secs(20));
    let (stuck, token) = (served.token_of(14), served.token_of(7));
    let stuck = served.stuck_with("GET", "/user/queue/token/query", &stuck);
    served.wait_until("in flight", || served.overload.counts().asking.in_flight == 1);
    for _ in 0..20 {
        check_refused(&served.query(&token), OVERLOADED, TRY_AGAIN_KOREAN);
    }
    check_refused(&stuck.join().unwrap(), (503, "TIMED_OUT"), TRY_AGAIN_KOREAN);
    let answered = (0..20).filter(|_| served.query(&token).status == 200).count();
    assert!((4..=8).contains(&answered), "{answered} answered");
}

#[test]
fn polling_as_advised_is_never_refused() {
    let settings =
        OverloadSettings { max_poll_multiple: NonZeroU32::new(1), ..OverloadSettings::default() };
    let served = Served::with(&settings, Duration::from_millis(100));
    let token = served.token_of(7);
    for _ in 0..20 {
        let Answer { status, body, .. } = served.query(&token);
        assert_eq!(status, 200, "{body}");
        let (_, rest) = body.split_once("\"pollAfterMs\":").unwrap();
        served.wait(Duration::from_millis(rest.split_once(',').unwrap().0.parse().unwrap()));
    }
}

#[test]
fn by_default_one_address_may_send_requests_in_a_tight_loop() {
    let served = Served::limited(&OverloadSettings::default());
    let token = served.token_of(7);
    for _ in 0..1_000 {
        assert_eq!((served.join(7).status, served.query(&token).status), (200, 200));
    }
    let counts = served.overload.counts();
    assert_eq!((counts.joining.passed, counts.asking.passed), (1_001, 1_000));
    assert_eq!(
        (counts.per_user_refused, counts.per_address_refused, counts.polling_refused),
        (0, 0, 0)
    );
}
