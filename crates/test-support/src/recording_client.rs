//! HTTP clients that record their requests and responses.

use std::net::SocketAddr;
use std::time::Duration;

use contracts::history::{Completion, History, Invocation};
use domain::queue::{QueueNumber, UserId};
use serde_json::Value;
use ureq::http::{Request, Response};

use crate::error::{Outcome, failed};

/// The shared part of all clients: keep-alive connections and the history.
#[derive(Clone)]
pub struct RecordingClients {
    agent: ureq::Agent,
    history: History,
    session: Duration,
}

/// The request timeout. After it the outcome of a request is unknown.
const PATIENCE: Duration = Duration::from_secs(10);

impl RecordingClients {
    /// Clients of a service with sessions of this length, which record into this history.
    #[must_use]
    pub fn new(history: &History, session: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(100)
            .max_idle_connections_per_host(100)
            .build()
            .new_agent();
        Self { agent, history: history.clone(), session }
    }

    /// A client that has not joined yet.
    ///
    /// # Errors
    /// If the user id is invalid.
    pub fn client(&self, user: u64) -> Outcome<RecordingClient> {
        let user = UserId::new(user).map_err(|error| failed(format!("{user}: {error}")))?;
        Ok(RecordingClient { clients: self.clone(), user, place: None })
    }
}

/// A user with at most one place. Each method takes the address of a node, so that requests can go
/// to different nodes.
pub struct RecordingClient {
    clients: RecordingClients,
    user: UserId,
    place: Option<Place>,
}

struct Place {
    number: QueueNumber,
    token: String,
}

/// The response to a client.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The response as recorded in the history. An answer from a node that does not see the queue
    /// is recorded as unknown; the status identifies it.
    pub reported: Completion,
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The time to wait before the next poll, if the answer contains one.
    pub poll_after: Option<Duration>,
}

impl RecordingClient {
    /// The number that the user holds or last held.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.place.as_ref().map(|place| place.number.get())
    }

    /// Joins, and keeps the token.
    pub fn join(&mut self, at: SocketAddr) -> Reply {
        self.join_as(Invocation::Join { user: self.user }, at)
    }

    /// Joins after all faults are over, so that the check can find lost places.
    pub fn find_again(&mut self, at: SocketAddr) -> Reply {
        self.join_as(Invocation::FindAgain { user: self.user }, at)
    }

    fn join_as(&mut self, requested: Invocation, at: SocketAddr) -> Reply {
        let op = self.clients.history.begin(requested);
        let answer = self.send("POST", at, &format!("/user/{}/queue/token/issue", self.user), None);
        let place = answer.place();
        let reported = match &place {
            Some(Place { number, .. }) => Completion::Number { number: *number, rejoined: false },
            None if answer.code() == Some("LINE_FULL") => Completion::Refused,
            None => Completion::Unknown,
        };
        op.end(reported);
        self.place = place.or_else(|| self.place.take());
        answer.received(reported)
    }

    /// Requests the status of the place. Without a place the response is unknown, and nothing is
    /// recorded.
    #[must_use]
    pub fn request(&self, at: SocketAddr) -> Reply {
        let requested = |number| Invocation::Ask { user: self.user, number };
        self.with_token(requested, "GET", at, "/user/queue/token/query", |answer| {
            match (answer.status, answer.word("status")) {
                (Some(200), Some("WAITING")) => {
                    answer.number("position").map(|position| Completion::Waiting { position })
                }
                (Some(200), Some("CALLED")) => Some(Completion::Called),
                (Some(200), Some("ACTIVE")) => Some(Completion::Active),
                (Some(200), Some("EXPIRED")) | (Some(410), _) => Some(Completion::Gone),
                _ => None,
            }
        })
    }

    /// Reads the dates of a concert; an answer with dates claims the call. Without a place the
    /// response is unknown.
    #[must_use]
    pub fn go_in(&self, at: SocketAddr, concert: u64) -> Reply {
        let requested = |number| Invocation::Admit { user: self.user, number };
        let session = self.clients.session;
        self.with_token(requested, "GET", at, &format!("/concert/{concert}/date"), |answer| {
            match answer.status {
                Some(200) => Some(Completion::LetIn { until_after: session }),
                Some(403) => Some(Completion::NotYet),
                Some(410) => Some(Completion::Gone),
                _ => None,
            }
        })
    }

    /// Leaves the queue. Without a place the response is unknown.
    #[must_use]
    pub fn leave(&self, at: SocketAddr) -> Reply {
        let requested = |number| Invocation::Leave { user: self.user, number };
        self.with_token(requested, "DELETE", at, "/user/queue/token", |answer| {
            match answer.status {
                Some(204) => Some(Completion::Left),
                Some(410) => Some(Completion::Gone),
                _ => None,
            }
        })
    }

    fn with_token(
        &self,
        requested: impl Fn(QueueNumber) -> Invocation,
        method: &str,
        at: SocketAddr,
        path: &str,
        meaning: impl Fn(&Answer) -> Option<Completion>,
    ) -> Reply {
        let Some(place) = &self.place else {
            return Reply { reported: Completion::Unknown, status: None, poll_after: None };
        };
        let op = self.clients.history.begin(requested(place.number));
        let answer = self.send(method, at, path, Some(&place.token));
        let reported =
            meaning(&answer).filter(|_| !answer.is_stale()).unwrap_or(Completion::Unknown);
        op.end(reported);
        answer.received(reported)
    }

    fn send(&self, method: &str, at: SocketAddr, path: &str, token: Option<&str>) -> Answer {
        let uri = format!("http://{at}/api/v1{path}");
        let request = Request::builder().method(method).uri(uri);
        let request =
            token.into_iter().fold(request, |request, token| request.header("waitingToken", token));
        let answer = request
            .body(())
            .map_err(ureq::Error::from)
            .and_then(|request| self.clients.agent.run(request));
        answer.and_then(Answer::read).unwrap_or_default()
    }
}

/// An answer, read to its end; empty if it was interrupted.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    body: Value,
}

impl Answer {
    fn read(mut response: Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let text = response.body_mut().read_to_string()?;
        // The answer to a leave has no body.
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status: Some(response.status().as_u16()), body })
    }

    fn word(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.body.get(name)?.as_u64()
    }

    fn code(&self) -> Option<&str> {
        self.word("code")
    }

    fn is_stale(&self) -> bool {
        self.body.get("stale").and_then(Value::as_bool).unwrap_or(false)
    }

    fn place(&self) -> Option<Place> {
        let number = QueueNumber::new(self.number("number")?).ok()?;
        let token = self.word("waitingToken")?.to_owned();
        Some(Place { number, token }).filter(|_| self.status == Some(200))
    }

    fn received(&self, reported: Completion) -> Reply {
        Reply {
            reported,
            status: self.status,
            poll_after: self.number("pollAfterMs").map(Duration::from_millis),
        }
    }
}
