//! A container of the image, as a deployment would restrict it.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use test_support::{Doing as _, Outcome, failed};

use super::docker::Docker;

/// Removed when dropped.
pub(crate) struct Container<'d> {
    docker: &'d Docker,
    id: String,
}

/// The restrictions of `docs/guide/docker.md`, and a health check that is quicker for the test.
const OPTIONS: &[&str] = &[
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=1g",
    "--cpus=2",
    "--stop-timeout=35",
    "--publish=127.0.0.1::8081",
    "--health-interval=1s",
    "--health-retries=2",
];

impl<'d> Container<'d> {
    pub(crate) fn start(
        docker: &'d Docker,
        image: &str,
        options: &[&str],
        arguments: &[&str],
    ) -> Outcome<Self> {
        let words = [&["run", "--detach"], OPTIONS, options, &[image], arguments].concat();
        let id = docker.says(&words)?;
        Ok(Self { docker, id })
    }

    /// A field of `docker inspect`.
    pub(crate) fn inspect(&self, field: &str) -> Outcome<String> {
        self.docker.says(&["inspect", "--format", &format!("{{{{{field}}}}}"), &self.id])
    }

    /// Runs the program of the image in the container.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Outcome<String> {
        self.docker.says(&[&["exec", &self.id, "/boxoffice"], arguments].concat())
    }

    pub(crate) fn signal(&self, name: &str) -> Outcome {
        self.docker.says(&["kill", "--signal", name, &self.id]).map(drop)
    }

    /// The published address of the public listener.
    pub(crate) fn public(&self) -> Outcome<SocketAddr> {
        let said = self.docker.says(&["port", &self.id, "8081/tcp"])?;
        let address = said.lines().next().and_then(|line| line.parse().ok());
        address.ok_or_else(|| failed(format!("not an address: {said}")))
    }

    /// A line of the kernel's status of the process.
    pub(crate) fn process(&self, name: &str) -> Outcome<String> {
        let path = format!("/proc/{}/status", self.inspect(".State.Pid")?);
        let status = fs::read_to_string(&path).doing(format!("reading {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let line = line.ok_or_else(|| failed(format!("{path} has no {name}")))?;
        Ok(line.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Waits until a field of `docker inspect` has this value.
    pub(crate) fn wait_for(&self, field: &str, value: &str, limit: Duration) -> Outcome {
        let end = Instant::now() + limit;
        loop {
            let is = self.inspect(field)?;
            if is == value {
                return Ok(());
            }
            if Instant::now() > end {
                let log = self.docker.says(&["logs", "--tail", "5", &self.id])?;
                return Err(failed(format!("{field} is {is} after {limit:?}, not {value}: {log}")));
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// The paths of all files.
    pub(crate) fn files(&self) -> Outcome<Vec<String>> {
        let archive = tempfile::NamedTempFile::new().doing("making a temporary file")?;
        let path = archive.path().to_string_lossy().into_owned();
        self.docker.says(&["export", "--output", &path, &self.id])?;
        let listed = test_support::workspace::output(
            std::process::Command::new("tar").args(["--list", "--file", &path]),
        )?;
        Ok(listed.lines().map(|line| format!("/{line}")).collect())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.docker.says(&["rm", "--force", "--volumes", &self.id]);
    }
}
