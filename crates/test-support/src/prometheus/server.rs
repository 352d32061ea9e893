//! A private Prometheus server.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

use super::binaries::PrometheusBinaries;
use crate::error::{Doing as _, Outcome, failed};
use crate::keeper::{CLEAN_UP, Keeper, LAUNCH, PID_FILE};
use crate::process::{START_LIMIT, free_port, last_lines};

/// How long it may take to answer a question.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A server of our own. It stops when this is dropped, and when our process ends.
pub struct Prometheus {
    folder: PathBuf,
    port: u16,
    agent: Agent,
    process: Option<Child>,
    /// Dropped last of all: removes the folder.
    _keeper: Keeper,
}

/// One series of an answer, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What tells it from others; `__name__` is the metric.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Prometheus {
    /// Starts a server with the text of a configuration, in which files are to be named by their whole path. It answers
    /// questions when this returns.
    ///
    /// # Errors
    /// What went wrong, with the end of the server's log.
    pub fn start(binaries: &PrometheusBinaries, config: &str) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("boxoffice-prometheus-").tempdir();
        let folder = folder.doing("making a temporary folder")?.keep();
        let mut clean_up = Command::new("sh");
        clean_up.args(["-c", CLEAN_UP, "prometheus"]).arg(&folder);
        let keeper = Keeper::of(&folder, &clean_up)?;
        fs::write(folder.join("prometheus.yml"), config).doing("writing the server's configuration")?;
        let limits = Agent::config_builder().timeout_global(Some(ANSWER_LIMIT)).http_status_as_error(false);
        let agent = limits.build().into();
        let mut server = Self { folder, port: 0, agent, process: None, _keeper: keeper };
        server.start_on_a_free_port(binaries)?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What an expression comes to now.
    ///
    /// # Errors
    /// That the expression is wrong or its answer no list of series, or that the server does not answer.
    pub fn query(&self, expression: &str) -> Outcome<Vec<Sample>> {
        let data = self.api("query", &[("query", expression)])?;
        let series = data["result"].as_array().filter(|_| data["resultType"] == "vector");
        let series = series.ok_or_else(|| failed(format!("{expression} is no list of series")))?;
        let samples: Option<Vec<Sample>> = series.iter().map(Sample::read).collect();
        samples.ok_or_else(|| failed(format!("an answer that is none: {data}")))
    }

    /// What `/api/v1/` answers at a path, such as `rules` or `targets`: the `data` of it.
    ///
    /// # Errors
    /// What the server said, or that it does not answer.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Outcome<Value> {
        let mut request = self.agent.get(format!("http://{}/api/v1/{path}", self.address()));
        for (name, value) in parameters {
            request = request.query(name, value);
        }
        let answer = request.call().and_then(|mut response| response.body_mut().read_json::<Value>());
        let mut answer = answer.map_err(|error| failed(format!("asking Prometheus: {error}")))?;
        if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(failed(format!("Prometheus says: {}", answer["error"])))
        }
    }

    /// Between asking for a free port and taking it somebody else may; then another one is tried.
    fn start_on_a_free_port(&mut self, binaries: &PrometheusBinaries) -> Outcome {
        let mut last = failed("no port is free");
        for _ in 0..10 {
            self.port = free_port()?;
            match self.launch(binaries) {
                Ok(()) => return Ok(()),
                Err(error) if self.has_ended() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn launch(&mut self, binaries: &PrometheusBinaries) -> Outcome {
        let log = self.folder.join("server.log");
        let output = fs::OpenOptions::new().create(true).append(true).open(&log).doing("opening a log")?;
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCH, "prometheus"]).arg(self.folder.join(PID_FILE)).arg(binaries.server());
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data").arg("--log.level=warn");
        command.arg(format!("--web.listen-address={}", self.address()));
        command.stderr(output.try_clone().doing("opening a log")?).stdout(output);
        // Not in the terminal's group: Ctrl-C is for us, and the keeper stops the server then.
        command.stdin(Stdio::null()).current_dir(&self.folder).process_group(0);
        self.process = Some(command.spawn().doing("starting Prometheus")?);
        let end = Instant::now() + START_LIMIT;
        loop {
            if self.has_ended() {
                return Err(failed(format!("Prometheus ended: {}", last_lines(&log))));
            }
            if self.is_ready() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(failed(format!("Prometheus is not ready: {}", last_lines(&log))));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn is_ready(&self) -> bool {
        let answer = self.agent.get(format!("http://{}/-/ready", self.address())).call();
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// Forgets a process that has ended: its id may become that of another, which must not be killed in its place.
    fn has_ended(&mut self) -> bool {
        let Some(process) = &mut self.process else { return true };
        let has_ended = !matches!(process.try_wait(), Ok(None));
        if has_ended {
            self.forget();
        }
        has_ended
    }

    fn forget(&mut self) {
        let _ = fs::remove_file(self.folder.join(PID_FILE));
        self.process = None;
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
            self.forget();
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
