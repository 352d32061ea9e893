//! A private InfluxDB server.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;

use super::binaries::InfluxBinaries;
use crate::error::{Doing as _, Outcome, failed};
use crate::server_process::ServerProcess;

/// The time limit for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The deployed configuration; the command overrides only its addresses and folders.
const CONFIG: &str = include_str!("../../../../deploy/observability/influxdb/influxdb.conf");

/// A private server. It stops when this is dropped or the process ends.
pub struct Influx {
    agent: Agent,
    server: ServerProcess,
}

/// One series of an answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Series {
    /// The measurement, or the name that a statement such as `SHOW DATABASES` gives its list; empty
    /// if there is none.
    #[serde(default)]
    pub name: String,
    /// The tags of the grouping.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The columns of each row.
    pub columns: Vec<String>,
    /// The rows.
    #[serde(default)]
    pub values: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Vec<StatementAnswer>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct StatementAnswer {
    #[serde(default)]
    series: Vec<Series>,
    error: Option<String>,
}

impl Influx {
    /// Starts a server with the deployed configuration. It answers queries when this returns.
    ///
    /// # Errors
    /// The cause, with the end of the server's log.
    pub fn start(binaries: &InfluxBinaries) -> Outcome<Self> {
        let mut server = ServerProcess::new("InfluxDB")?;
        fs::write(server.folder().join("influxdb.conf"), CONFIG)
            .doing("writing the server's configuration")?;
        let limits =
            Agent::config_builder().timeout_global(Some(ANSWER_LIMIT)).http_status_as_error(false);
        let agent: Agent = limits.build().into();
        let is_ready = |address| {
            let answer = agent.get(format!("http://{address}/ping")).call();
            answer.is_ok_and(|response| response.status().is_success())
        };
        server.start(|address| command(binaries, address), is_ready)?;
        Ok(Self { agent, server })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Creates a database without expiry, unless one of that name exists.
    ///
    /// # Errors
    /// The error of the server, or that it does not answer.
    pub fn create_database(&self, name: &str) -> Outcome {
        let name = name.replace('\\', r"\\").replace('"', r#"\""#);
        self.query("", &format!("CREATE DATABASE \"{name}\"")).map(drop)
    }

    /// Runs the statements of a file, such as the deployed one.
    ///
    /// # Errors
    /// If the file cannot be read, or the error of the first statement that failed.
    pub fn run_file(&self, path: &Path) -> Outcome {
        let statements = fs::read_to_string(path).doing(format!("reading {}", path.display()))?;
        self.query("", &statements).map(drop)
    }

    /// Runs statements in a database and returns the series of all of them, in order.
    ///
    /// # Errors
    /// The error of the first statement that failed, or that the server does not answer.
    pub fn query(&self, database: &str, influxql: &str) -> Outcome<Vec<Series>> {
        let request = self.agent.post(format!("http://{}/query", self.address()));
        let answer = request.send_form([("db", database), ("q", influxql)]);
        let answer = answer.and_then(|mut response| response.body_mut().read_json::<Answer>());
        answer.map_err(|error| failed(format!("querying InfluxDB: {error}")))?.into_series()
    }
}

impl Answer {
    fn into_series(self) -> Outcome<Vec<Series>> {
        let mut errors =
            self.error.iter().chain(self.results.iter().filter_map(|result| result.error.as_ref()));
        if let Some(error) = errors.next() {
            return Err(failed(format!("InfluxDB says: {error}")));
        }
        Ok(self.results.into_iter().flat_map(|result| result.series).collect())
    }
}

/// Environment variables override the configuration.
fn command(binaries: &InfluxBinaries, address: SocketAddr) -> Command {
    let mut command = Command::new(binaries.server());
    command.args(["run", "-config", "influxdb.conf"]);
    command
        .env("INFLUXDB_META_DIR", "meta")
        .env("INFLUXDB_DATA_DIR", "data")
        .env("INFLUXDB_DATA_WAL_DIR", "wal");
    command
        .env("INFLUXDB_HTTP_BIND_ADDRESS", address.to_string())
        .env("INFLUXDB_LOGGING_LEVEL", "warn");
    // The address for backups, which tests do not use: any port.
    command.env("INFLUXDB_BIND_ADDRESS", "127.0.0.1:0");
    command
}
