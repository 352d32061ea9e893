//! The application as the program runs it, on free ports, and helpers for the tests.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use boxoffice::config::{self, Config, Sources};
use boxoffice::{Application, ApplicationBuilder, StartError};
use domain::Timestamp;
use serde_json::Value;
use telemetry::Instruments;
use tokio::sync::oneshot;
use ureq::http::{HeaderMap, Request};

/// How long a test waits for a condition.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A running application; it is stopped when dropped.
pub(crate) struct TestApp {
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

/// A response with its complete body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A field of the body.
    pub(crate) fn field(&self, name: &str) -> Value {
        self.json()[name].clone()
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.field(name).as_u64().unwrap_or_else(|| panic!("{name} of {}", self.text))
    }

    pub(crate) fn word(&self, name: &str) -> String {
        self.field(name).as_str().unwrap_or_else(|| panic!("{name} of {}", self.text)).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Asserts that a call or session ends at the same time in both responses. Each response adds the
/// remaining time to its own reading of the clock, hence the tolerance.
#[track_caller]
pub(crate) fn assert_ends_as_before(after: &Answer, before: &Answer) {
    let ends = |answer: &Answer| answer.word("expiresAt").parse::<Timestamp>().unwrap();
    let apart = ends(after).duration_since(ends(before)).unsigned_abs();
    assert!(apart < Duration::from_millis(500), "{after:?} and before {before:?}");
}

/// The configuration of the tests: free ports, one worker, no drain delay, and then these settings.
pub(crate) fn config_of(settings: &[&str]) -> Config {
    let usual =
        ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0", "http.workers=1", "http.drain_delay=0s"];
    let overrides = usual.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
    config::load(&Sources { file: None, overrides }).unwrap().config
}

impl TestApp {
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::built(settings, |builder| builder)
    }

    /// An application with adapters of the test.
    pub(crate) fn built(
        settings: &[&str],
        adapt: impl FnOnce(ApplicationBuilder<'_>) -> ApplicationBuilder<'_> + Send + 'static,
    ) -> Self {
        Self::with(settings, Instruments::to_be_scraped().unwrap(), adapt)
    }

    /// An application without metrics.
    pub(crate) fn unmeasured(settings: &[&str]) -> Self {
        Self::with(settings, Instruments::off(), |builder| builder)
    }

    fn with(
        settings: &[&str],
        instruments: Instruments,
        adapt: impl FnOnce(ApplicationBuilder<'_>) -> ApplicationBuilder<'_> + Send + 'static,
    ) -> Self {
        let config = config_of(settings);
        let (stop, stopped) = oneshot::channel();
        let (notify, reported) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let builder = Application::builder(&config).instruments(instruments);
                let application = adapt(builder).build().await?;
                notify.send((application.public_address(), application.ops_address())).unwrap();
                application
                    .run_until_stopped(async {
                        let _ = stopped.await;
                    })
                    .await
            })
        });
        let (public, ops) = reported.recv_timeout(LIMIT).unwrap();
        Self { public, ops, agent: agent(), stop: Some(stop), thread: Some(thread) }
    }

    /// Requests a stop without waiting for it.
    pub(crate) fn request_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end and returns its result.
    pub(crate) fn join(&mut self) -> Result<(), StartError> {
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }

    /// A request to a public path below `/api/v1`.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask_with_body(method, path, headers, &[])
    }

    pub(crate) fn ask_with_body(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.send(method, &format!("http://{}/api/v1{path}", self.public), headers, body)
    }

    /// A request to a public path.
    pub(crate) fn public(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, &format!("http://{}{path}", self.public), headers, &[])
    }

    /// A request to an operations path.
    pub(crate) fn ops(&self, path: &str) -> Answer {
        self.send("GET", &format!("http://{}{path}", self.ops), &[], &[])
    }

    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        send(&self.agent, method, url, headers, body)
    }

    pub(crate) fn join_line(&self, user: u64) -> Answer {
        let answer = self.request("POST", &format!("/user/{user}/queue/token/issue"), &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Joins and returns the token.
    pub(crate) fn token_of(&self, user: u64) -> String {
        self.join_line(user).word("waitingToken")
    }

    pub(crate) fn query(&self, token: &str) -> Answer {
        self.request("GET", "/user/queue/token/query", &[("waitingToken", token)])
    }

    pub(crate) fn dates(&self, concert: &str, token: &str) -> Answer {
        self.request("GET", &format!("/concert/{concert}/date"), &[("waitingToken", token)])
    }

    pub(crate) fn leave(&self, token: &str) -> Answer {
        self.request("DELETE", "/user/queue/token", &[("waitingToken", token)])
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.request_stop();
        let ended = self.join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Keeps connections open between requests.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(LIMIT))
        .build()
        .new_agent()
}

pub(crate) fn send(
    agent: &ureq::Agent,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = if body.is_empty() {
        agent.run(request.body(()).unwrap()).unwrap()
    } else {
        agent.run(request.body(body).unwrap()).unwrap()
    };
    let text = response.body_mut().read_to_string().unwrap();
    Answer { status: response.status().as_u16(), headers: response.headers().clone(), text }
}

/// Polls until the condition holds; panics after [`LIMIT`].
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < limit, "not within {LIMIT:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
