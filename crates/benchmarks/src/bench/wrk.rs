//! The load generator: wrk with one thread, on its own core.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::affinity;
use test_support::workspace::run;
use test_support::{Doing as _, Outcome, failed};

/// The counts of wrk; times in microseconds, from sending a request to its answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    /// Duration of the measurement.
    pub(crate) seconds: f64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) longest: u64,
    /// Failed connections, unanswered requests, and answers outside 2xx and 3xx.
    pub(crate) errors: u64,
}

/// The script that makes the requests.
#[derive(Clone, Copy)]
pub(super) enum Script {
    /// No script: all requests are the same.
    Plain,
    Crowd,
    Pages,
    Dates,
}

impl Script {
    fn file(self) -> &'static str {
        match self {
            Self::Plain => "plain.lua",
            Self::Crowd => "crowd.lua",
            Self::Pages => "pages.lua",
            Self::Dates => "dates.lua",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Crowd => include_str!("scripts/crowd.lua"),
            Self::Pages => include_str!("scripts/pages.lua"),
            Self::Dates => include_str!("scripts/dates.lua"),
        }
    }
}

const DONE: &str = include_str!("scripts/done.lua");

/// One run of wrk.
pub(super) struct Wrk {
    command: Command,
    script: Script,
}

impl Wrk {
    pub(super) fn new(connections: u32, seconds: u32) -> Self {
        let mut command = affinity::on(affinity::GENERATOR, "wrk");
        command.args(["--threads", "1", "--timeout", "5s", "--latency"]);
        command.args([
            "--connections",
            &connections.to_string(),
            "--duration",
            &format!("{seconds}s"),
        ]);
        Self { command, script: Script::Plain }
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        self.command.args(["--header", &format!("{name}: {value}")]);
    }

    pub(super) fn script(&mut self, script: Script) -> &mut Self {
        self.script = script;
        self
    }

    pub(super) fn env(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.command.env(name, value.to_string());
        self
    }

    /// Runs to the end; the script and wrk's output stay in the folder.
    pub(super) fn run(mut self, url: &str, out: &Path, file: &str) -> Outcome<Figures> {
        let script = out.join(self.script.file());
        fs::write(&script, format!("{}{DONE}", self.script.text()))
            .doing("writing a script for wrk")?;
        let output =
            self.command.arg("--script").arg(&script).arg(url).output().doing("starting wrk")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        fs::write(out.join(file), &text).doing(format!("writing {file}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("wrk ended with {}: {complaint}", output.status)));
        }
        figures(&text)
    }
}

fn figures(text: &str) -> Outcome<Figures> {
    let line = text.lines().find_map(|line| line.strip_prefix("figures: "));
    let figures = line.and_then(|line| serde_json::from_str(line).ok());
    figures.ok_or_else(|| failed(format!("wrk printed no figures: {text}")))
}

/// Checks for the tools that measuring needs beyond a Rust toolchain.
pub(crate) fn require_tools() -> Outcome {
    for (tool, package) in [("wrk", "wrk"), ("taskset", "util-linux"), ("prlimit", "util-linux")] {
        let found = Command::new(tool).arg("--version").output().is_ok();
        if !found {
            return Err(failed(format!(
                "{tool} is not installed; on Debian: apt-get install {package}"
            )));
        }
    }
    if affinity::count() < 2 {
        return Err(failed("two cores are needed, one for the server and one for the generator"));
    }
    Ok(())
}

/// Raises the limit of open files of this program and its children to the hard limit: each
/// connection takes one.
pub(crate) fn open_many_files() -> Outcome {
    let id = std::process::id().to_string();
    let mut ask = Command::new("prlimit");
    ask.args(["--pid", &id, "--nofile", "--raw", "--noheadings", "--output", "HARD"]);
    let answer = ask.output().doing("reading the limit of open files")?;
    let hard = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let mut command = Command::new("prlimit");
    command.args(["--pid", &id, &format!("--nofile={hard}:{hard}")]);
    run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_parsed_from_the_output_of_wrk() {
        let text = "Running 1s test\n  1 threads\nfigures: {\"requests\":10,\"seconds\":2.0,\"p50\":1,\"p90\":2,\"p95\":3,\
                    \"p99\":4,\"p999\":5,\"longest\":6,\"mean\":1.5,\"errors\":0}\n";
        let found = figures(text).unwrap();
        assert_eq!((found.requests, found.p999, found.errors), (10, 5, 0));
        assert!(figures("Running 1s test\n").is_err());
    }
}
