//! Nodes of the program that share one queue in Redis.

use std::net::SocketAddr;

use test_support::{Redis, RedisBinaries, RedisSetup};

use crate::program::Serving;
use crate::support::{Answer, agent, eventually, send};

/// The token key of all nodes.
pub(super) const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA";

/// Timeouts that a healthy Redis keeps even on a busy machine.
pub(super) const UNHURRIED: [&str; 3] =
    ["redis.queue.timeout=4s", "queue.max_join_wait=4s", "http.request_timeout=9s"];

/// A Redis for one test.
pub(super) fn redis(setup: RedisSetup) -> Redis {
    Redis::start(&RedisBinaries::find().unwrap(), setup).unwrap()
}

/// The settings of a node as command-line arguments.
pub(super) fn words(url: &str, settings: &[&str]) -> Vec<String> {
    let (url, key) = (format!("redis.queue.url={url}"), format!("queue.keys={KEY}"));
    let ours = ["queue.store=redis", &url, &key, "catalog.sample_concerts=460", "http.workers=1"];
    let all = ours.iter().chain(&["ops.check_every=100ms"]).chain(settings);
    all.flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]).collect()
}

/// The program with helpers for the tests; killed when dropped.
pub(super) struct Node {
    serving: Serving,
    agent: ureq::Agent,
}

impl Node {
    pub(super) fn on(redis: &Redis, settings: &[&str]) -> Self {
        Self::at(&format!("redis://{}", redis.address()), settings)
    }

    pub(super) fn at(url: &str, settings: &[&str]) -> Self {
        let words = words(url, settings);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Self { serving: Serving::start(&words), agent: agent() }
    }

    pub(super) fn public(&self) -> SocketAddr {
        self.serving.public
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.serving.signal("-KILL");
    }

    /// Stops the node and returns its log.
    pub(super) fn stop(&mut self) -> String {
        self.serving.signal("-TERM");
        let (code, log) = self.serving.end();
        assert_eq!(code, Some(0), "{log}");
        log
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.agent, method, &self.serving.url(path), headers, &[])
    }

    pub(super) fn join(&self, user: u64) -> Answer {
        self.request("POST", &format!("/user/{user}/queue/token/issue"), &[])
    }

    /// Joins successfully and returns the token.
    pub(super) fn token_of(&self, user: u64) -> String {
        let joined = self.join(user);
        assert_eq!(joined.status, 200, "{joined:?}");
        joined.word("waitingToken")
    }

    pub(super) fn query(&self, token: &str) -> Answer {
        self.request("GET", "/user/queue/token/query", &[("waitingToken", token)])
    }

    pub(super) fn dates(&self, token: &str) -> Answer {
        self.request("GET", "/concert/451/date", &[("waitingToken", token)])
    }

    pub(super) fn leave(&self, token: &str) -> Answer {
        self.request("DELETE", "/user/queue/token", &[("waitingToken", token)])
    }

    pub(super) fn readiness(&self) -> Answer {
        self.ops("/readyz")
    }

    /// A request to the operations listener.
    pub(super) fn ops(&self, path: &str) -> Answer {
        send(&self.agent, "GET", &format!("http://{}{path}", self.serving.ops), &[], &[])
    }

    pub(super) fn ops_address(&self) -> SocketAddr {
        self.serving.ops
    }

    /// The state of a circuit breaker.
    pub(super) fn breaker(&self, name: &str) -> String {
        let shown = self.ops("/protection");
        shown.json()["breakers"][name]["state"]
            .as_str()
            .unwrap_or_else(|| panic!("{shown:?}"))
            .to_owned()
    }

    /// Waits for this readiness, whose status code is always 200: a dependency that is down sends
    /// no traffic away.
    pub(super) fn wait_until(&self, status: &str) {
        eventually(&format!("readiness says {status}"), || {
            let answer = self.readiness();
            let said = answer.word("status");
            assert!(answer.status == 200 || said == "starting", "{answer:?}");
            said == status
        });
    }
}
