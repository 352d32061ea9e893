//! A node of the release binary.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use test_support::{Doing as _, Outcome, failed};

use test_support::workspace::release_binary;

/// Killed when dropped.
pub(crate) struct Node {
    number: usize,
    process: Child,
    pub(crate) public: SocketAddr,
    pub(crate) ops: SocketAddr,
    troubles: Troubles,
}

/// Logged warnings and errors, with counts.
#[derive(Clone, Default)]
struct Troubles(Arc<Mutex<BTreeMap<String, u64>>>);

/// Limit for a node to bind its addresses.
const START_LIMIT: Duration = Duration::from_secs(30);

impl Node {
    /// Starts a node on free ports, unless its settings name others, and waits until it listens.
    pub(crate) fn start(number: usize, settings: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(release_binary());
        for setting in ["http.bind=127.0.0.1:0", "ops.bind=127.0.0.1:0"].iter().chain(settings) {
            command.args(["--set", setting]);
        }
        let mut process = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .doing("starting boxoffice")?;
        let (listens, reported) = channel();
        let troubles = Troubles::default();
        if let Some(log) = process.stderr.take() {
            let troubles = troubles.clone();
            std::thread::spawn(move || troubles.read(log, &listens));
        }
        match reported.recv_timeout(START_LIMIT) {
            Ok((public, ops)) => Ok(Self { number, process, public, ops, troubles }),
            Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(failed(format!("node {number} does not listen: {}", troubles.words())))
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("node {}, {}", self.number, self.public)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.process.kill().doing("killing a node")?;
        self.process.wait().doing("waiting for a node's end").map(drop)
    }

    pub(crate) fn print_troubles(&self) {
        self.troubles().iter().for_each(|line| println!("{line}"));
    }

    /// Logged warnings and errors: one line for each kind.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let line = |(line, count): (&String, &u64)| {
            format!("node {} said {count} times: {line}", self.number)
        };
        self.troubles.lock().iter().map(line).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self) -> String {
        self.lock().keys().cloned().collect::<Vec<_>>().join(" / ")
    }

    /// Reads the log to its end, and sends the addresses once the node listens.
    fn read(&self, log: ChildStderr, listens: &Sender<(SocketAddr, SocketAddr)>) {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let fields: Value = serde_json::from_str(&line).unwrap_or_default();
            let address = |name: &str| fields[name].as_str()?.parse().ok();
            if fields["message"] == "listening" {
                let _ = address("public").zip(address("operations")).map(|both| listens.send(both));
            } else if fields["level"] != "INFO" {
                *self.lock().entry(essence(&fields).unwrap_or(line)).or_default() += 1;
            }
        }
    }
}

/// The constant part of a log line; `None` for a line in another format.
fn essence(fields: &Value) -> Option<String> {
    let message = fields["message"].as_str()?;
    let cause = ["cause", "error", "error.cause"].iter().find_map(|name| fields[*name].as_str());
    Some(cause.map_or_else(|| message.to_owned(), |cause| format!("{message}: {cause}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_log_lines_are_counted_as_one_kind() {
        let first = json!({"message": "it failed", "error.cause": "no reason", "request.id": "1"});
        let second = json!({"message": "it failed", "error.cause": "no reason", "request.id": "2"});
        assert_eq!(essence(&first).as_deref(), Some("it failed: no reason"));
        assert_eq!(essence(&first), essence(&second));
        assert_eq!(essence(&json!({"message": "bare"})).as_deref(), Some("bare"));
        assert_eq!(essence(&Value::Null), None);
    }
}
