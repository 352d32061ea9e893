//! The release binary, running for the time of a measurement.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::{affinity, process};
use test_support::workspace::release_binary;
use test_support::{Doing as _, Outcome, failed};

pub(crate) struct Service {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// The prefix of this service's paths.
    base: &'static str,
}

impl Service {
    /// Starts the release binary as `boxoffice COMMAND`, with one worker on its own core, and waits
    /// until it answers.
    pub(crate) fn start(command: &str, settings: &[&str]) -> Outcome<Self> {
        Self::start_program(&release_binary(), command, settings)
    }

    /// Starts another binary in the same way.
    pub(crate) fn start_program(program: &Path, command: &str, settings: &[&str]) -> Outcome<Self> {
        let address = free_address()?;
        let ops = free_address()?;
        let mut line = affinity::on(affinity::SERVER, program);
        line.arg(command);
        let own = [
            format!("http.bind={address}"),
            format!("ops.bind={ops}"),
            "http.workers=1".to_owned(),
        ];
        let quiet = "telemetry.log_filter=error".to_owned();
        for setting in settings.iter().map(|s| (*s).to_owned()).chain(own).chain([quiet]) {
            line.args(["--set", &setting]);
        }
        let process =
            line.stdin(Stdio::null()).spawn().doing(format!("starting {}", program.display()))?;
        let base = if command == "serve" { "/api/v1" } else { "" };
        let service = Self { process, address, ops, base };
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

    /// Processor time this service has used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        process::cpu_seconds(self.id())
    }

    /// Memory this service has in use now, bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        process::memory(self.id())
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, self.base)
    }

    /// Joins and returns the token.
    pub(crate) fn join(&self, user: u64) -> Outcome<String> {
        let path = format!("{}/user/{user}/queue/token/issue", self.base);
        let answer = request(self.address, "POST", &path, &[])?;
        between(&answer, "\"waitingToken\":\"", "\"")
            .ok_or_else(|| failed(format!("no token in {answer}")))
    }

    /// Joins `waiting` users and returns the token of the last.
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
        let answer = request(self.address, "GET", &format!("{}{path}", self.base), headers)?;
        if answer.starts_with("HTTP/1.1 200") {
            Ok(answer)
        } else {
            Err(failed(format!("{path} answered {answer}")))
        }
    }

    /// The hash of the running configuration.
    pub(crate) fn config_hash(&self) -> Outcome<String> {
        let answer = request(self.ops, "GET", "/failures", &[])?;
        between(&answer, "\"configHash\":\"", "\"")
            .ok_or_else(|| failed(format!("no hash in {answer}")))
    }
}

/// Sends one request on a new connection; returns head and body as text.
fn request(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Outcome<String> {
    let mut stream = TcpStream::connect(to).doing("connecting")?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).doing("setting a time limit")?;
    let fields: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: 0\r\n{fields}\r\n"
    );
    stream.write_all(request.as_bytes()).doing("sending a request")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).doing("reading an answer")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
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
