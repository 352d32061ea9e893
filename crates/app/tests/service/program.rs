//! The program, run as in production.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use crate::support::LIMIT;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_boxoffice");

/// Runs the program to its end.
pub(crate) fn boxoffice(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).envs(environment.iter().copied());
    to_its_end(command)
}

/// Runs the program to its end under limits set by a shell command.
pub(crate) fn boxoffice_limited(limits: &str, arguments: &[&str]) -> Output {
    let mut command = limited(limits);
    command.args(arguments);
    to_its_end(command)
}

/// The program under limits set by a shell command.
fn limited(limits: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\""), PROGRAM]);
    command
}

fn to_its_end(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = running.id().to_string();
    let (ended, wait) = std::sync::mpsc::channel::<()>();
    // Kills a program that does not end, so that its exit code fails the test.
    let limit = std::thread::spawn(move || {
        if wait.recv_timeout(LIMIT * 3) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-KILL", &id]).status().unwrap();
        }
    });
    let output = running.wait_with_output().unwrap();
    drop(ended);
    limit.join().unwrap();
    output
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The program, serving; killed when dropped.
pub(crate) struct Serving {
    process: Child,
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
    /// The log up to the line with the addresses, and a thread that reads the rest.
    log: Option<(String, JoinHandle<String>)>,
}

impl Serving {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::running(Command::new(PROGRAM), arguments)
    }

    /// Starts the program under limits set by a shell command.
    pub(crate) fn limited(limits: &str, arguments: &[&str]) -> Self {
        Self::running(limited(limits), arguments)
    }

    fn running(mut command: Command, arguments: &[&str]) -> Self {
        for setting in ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0", "http.drain_delay=200ms"] {
            command.args(["--set", setting]);
        }
        let mut process = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let mut begun = String::new();
        let listening = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended: {begun}");
            begun.push_str(&line);
            if line.contains("\"message\":\"listening\"") {
                break serde_json::from_str::<serde_json::Value>(&line).unwrap();
            }
        };
        let address = |name: &str| listening[name].as_str().unwrap().parse().unwrap();
        let (public, ops) = (address("public"), address("operations"));
        let rest = std::thread::spawn(move || {
            let mut rest = String::new();
            lines.read_to_string(&mut rest).unwrap();
            rest
        });
        Self { process, public, ops, log: Some((begun, rest)) }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; returns the exit code and the log.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let (begun, rest) = self.log.take().unwrap();
        let log = begun + &rest.join().unwrap();
        (self.process.wait().unwrap().code(), log)
    }

    /// The resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1_024
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.public)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
