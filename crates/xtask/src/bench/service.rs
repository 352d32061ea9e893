//! The release binary, started for a measurement and stopped after it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::release_binary;
use test_support::{Doing as _, Outcome, failed};

/// The core the server runs on; the generator has the next one.
pub(crate) const SERVER_CORE: &str = "0";

pub(crate) struct Service {
    process: Child,
    pub(crate) address: SocketAddr,
    /// What the paths of this service begin with.
    base: &'static str,
}

impl Service {
    /// Starts `boxoffice COMMAND` with one worker on a core of its own and waits until it answers.
    pub(crate) fn start(command: &str, settings: &[&str]) -> Outcome<Self> {
        let address = free_address()?;
        let ops = free_address()?;
        let mut line = Command::new("taskset");
        line.args(["--cpu-list", SERVER_CORE]).arg(release_binary()).arg(command);
        let own = [format!("http.bind={address}"), format!("ops.bind={ops}"), "http.workers=1".to_owned()];
        let quiet = "telemetry.log_filter=error".to_owned();
        for setting in settings.iter().map(|s| (*s).to_owned()).chain(own).chain([quiet]) {
            line.args(["--set", &setting]);
        }
        let process = line.stdin(Stdio::null()).spawn().doing("starting boxoffice (release)")?;
        let base = if command == "serve" { "/api/v1" } else { "" };
        let service = Self { process, address, base };
        service.wait_until_it_answers()?;
        Ok(service)
    }

    fn wait_until_it_answers(&self) -> Outcome {
        let limit = Instant::now() + Duration::from_secs(10);
        while Instant::now() < limit {
            if TcpStream::connect_timeout(&self.address, Duration::from_millis(100)).is_ok() {
                return Ok(());
            }
            std::thread::yield_now();
        }
        Err(failed("boxoffice did not answer within 10 s"))
    }

    /// Processor time this service has used so far, in seconds: all its threads, as the scheduler counts nanoseconds.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        let tasks = format!("/proc/{}/task", self.process.id());
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(&tasks).doing(format!("reading {tasks}"))? {
            let path = task.doing(format!("reading {tasks}"))?.path().join("schedstat");
            let text = fs::read_to_string(&path).doing(format!("reading {}", path.display()))?;
            nanoseconds += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(nanoseconds / 1e9)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, self.base)
    }

    /// Joins and returns the token.
    pub(crate) fn join(&self, user: u64) -> Outcome<String> {
        let answer = self.request("POST", &format!("/user/{user}/queue/token/issue"), &[])?;
        between(&answer, "\"waitingToken\":\"", "\"").ok_or_else(|| failed(format!("no token in {answer}")))
    }

    /// Joins users until so many wait, and returns the token of the last.
    pub(crate) fn join_until(&self, waiting: u64) -> Outcome<String> {
        let mut token = String::new();
        for user in 2..2 + waiting {
            token = self.join(user)?;
        }
        Ok(token)
    }

    /// The entity tag of a page.
    pub(crate) fn etag(&self, path: &str) -> Outcome<String> {
        let answer = self.get(path, &[])?;
        between(&answer, "etag: ", "\r\n").ok_or_else(|| failed(format!("no etag in {answer}")))
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Outcome<String> {
        let answer = self.request("GET", path, headers)?;
        if answer.starts_with("HTTP/1.1 200") {
            Ok(answer)
        } else {
            Err(failed(format!("{path} answered {answer}")))
        }
    }

    /// One request on a connection of its own; head and body as text.
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.address).doing("connecting")?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).doing("setting a time limit")?;
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let host = self.address;
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n{fields}\r\n",
            self.base
        );
        stream.write_all(request.as_bytes()).doing("sending a request")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).doing("reading an answer")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("finding a free port")?;
    listener.local_addr().doing("finding a free port")
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found.to_owned())
}
