//! A private Prometheus server.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use super::binaries::PrometheusBinaries;
use crate::error::{Doing as _, Outcome, failed};
use crate::server_process::ServerProcess;

/// The time limit for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A private server. It stops when this is dropped or the process ends.
pub struct Prometheus {
    agent: Agent,
    server: ServerProcess,
}

/// One series of an answer, with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The labels of the series; `__name__` is the metric.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts a server with this configuration, in which file paths must be absolute. It answers
    /// queries when this returns.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn start(binaries: &PrometheusBinaries, config: &str) -> Outcome<Self> {
        Self::start_with(binaries, config, &[])
    }

    /// Starts a server that scrapes nothing and accepts remote writes to [`Prometheus::write_url`].
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn taking_writes(binaries: &PrometheusBinaries) -> Outcome<Self> {
        Self::start_with(binaries, "global: {}\n", &["--web.enable-remote-write-receiver"])
    }

    fn start_with(binaries: &PrometheusBinaries, config: &str, options: &[&str]) -> Outcome<Self> {
        let mut server = ServerProcess::new("Prometheus")?;
        fs::write(server.folder().join("prometheus.yml"), config)
            .doing("writing the server's configuration")?;
        let limits =
            Agent::config_builder().timeout_global(Some(ANSWER_LIMIT)).http_status_as_error(false);
        let agent: Agent = limits.build().into();
        let command = |address| {
            let mut command = Command::new(binaries.server());
            command.args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--log.level=warn",
            ]);
            command.arg(format!("--web.listen-address={address}")).args(options);
            command
        };
        let is_ready = |address| {
            let answer = agent.get(format!("http://{address}/-/ready")).call();
            answer.is_ok_and(|response| response.status().is_success())
        };
        server.start(command, is_ready)?;
        Ok(Self { agent, server })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The URL for remote writes; for k6 the value of `K6_PROMETHEUS_RW_SERVER_URL`.
    #[must_use]
    pub fn write_url(&self) -> String {
        format!("http://{}/api/v1/write", self.address())
    }

    /// Evaluates an expression now.
    ///
    /// # Errors
    /// If the expression is invalid, its result is not a vector, or the server does not answer.
    pub fn query(&self, expression: &str) -> Outcome<Vec<Sample>> {
        let data = self.api("query", &[("query", expression)])?;
        let series = data["result"].as_array().filter(|_| data["resultType"] == "vector");
        let series = series.ok_or_else(|| failed(format!("{expression} is not a vector")))?;
        let samples: Option<Vec<Sample>> = series.iter().map(Sample::read).collect();
        samples.ok_or_else(|| failed(format!("an invalid answer: {data}")))
    }

    /// The `data` of the answer of `/api/v1/` at a path, such as `rules` or `targets`.
    ///
    /// # Errors
    /// The error of the server, or that it does not answer.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Outcome<Value> {
        let mut request = self.agent.get(format!("http://{}/api/v1/{path}", self.address()));
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        let answer =
            request.call().and_then(|mut response| response.body_mut().read_json::<Value>());
        let mut answer = answer.map_err(|error| failed(format!("querying Prometheus: {error}")))?;
        if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(failed(format!("Prometheus says: {}", answer["error"])))
        }
    }
}

impl Sample {
    fn read(series: &Value) -> Option<Self> {
        let labels = series["metric"].as_object()?.iter();
        let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Self {
            labels: labels.collect::<Option<_>>()?,
            value: series["value"][1].as_str()?.parse().ok()?,
        })
    }
}
