//! Measuring with wrk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::service::Service;
use crate::run::run;
use test_support::{Doing as _, Outcome, failed};

/// The core the generator runs on.
pub(crate) const GENERATOR_CORE: &str = "1";

/// What is measured.
pub(crate) struct Target<'a> {
    pub(crate) name: &'static str,
    service: &'a Service,
    url: String,
    header: Option<(&'static str, &'a str)>,
    asks: Asks,
}

/// What the requests of a measurement are.
#[derive(Clone, Copy, PartialEq)]
enum Asks {
    /// All the same.
    Same,
    /// Each another user's join.
    Joins,
    /// Each another page of the list.
    Pages,
}

/// What came out.
#[derive(Clone)]
pub(crate) struct Measurement {
    pub(crate) target: &'static str,
    pub(crate) round: u32,
    pub(crate) connections: u32,
    pub(crate) per_second: f64,
    /// Requests per second of processor time of the server.
    pub(crate) per_cpu_second: f64,
    /// How much of its core the server used, from 0 to 1.
    pub(crate) server_load: f64,
    /// The 99th percentile of the time to an answer, as wrk words it.
    pub(crate) p99: String,
    /// No socket errors, and no answer outside 2xx and 3xx.
    pub(crate) is_clean: bool,
}

impl<'a> Target<'a> {
    pub(crate) fn new(
        name: &'static str,
        service: &'a Service,
        path: &str,
        header: Option<(&'static str, &'a str)>,
    ) -> Self {
        Self { name, service, url: service.url(path), header, asks: Asks::Same }
    }

    /// Joins, each by another user.
    pub(crate) fn joining(name: &'static str, service: &'a Service) -> Self {
        Self { asks: Asks::Joins, ..Self::new(name, service, "/user", None) }
    }

    /// Pages of the list, in turn.
    pub(crate) fn paging(name: &'static str, service: &'a Service) -> Self {
        Self { asks: Asks::Pages, ..Self::new(name, service, "/concerts/query", None) }
    }
}

/// Everything measuring needs beyond a Rust toolchain.
pub(crate) fn require_tools() -> Outcome {
    for (tool, package) in [("wrk", "wrk"), ("taskset", "util-linux")] {
        let found = Command::new(tool).arg("--version").output().is_ok();
        if !found {
            return Err(failed(format!("{tool} is not there; on Debian: apt-get install {package}")));
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores < 2 {
        Err(failed("two cores are needed, one for the server and one for the generator"))
    } else {
        Ok(())
    }
}

/// Asks one thing over and over, and keeps what wrk printed.
pub(crate) fn wrk(
    target: &Target<'_>,
    connections: u32,
    seconds: u32,
    out: &Path,
    round: u32,
) -> Outcome<Measurement> {
    let mut command = generator(connections, seconds);
    if let Some((name, value)) = target.header {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    match target.asks {
        Asks::Same => {}
        Asks::Joins => {
            let first_user = u64::from(round) * ROUND + u64::from(connections) * CONNECTION;
            command.env("FIRST_USER", first_user.to_string());
            command.arg("--script").arg(write_script(out, CROWD_FILE, CROWD)?);
        }
        Asks::Pages => drop(command.arg("--script").arg(write_script(out, PAGES_FILE, PAGES)?)),
    }
    let (cpu_before, before) = (target.service.cpu_seconds()?, Instant::now());
    let text = output(command.args(["--latency", &target.url]))?;
    let (cpu, wall) = (target.service.cpu_seconds()? - cpu_before, before.elapsed().as_secs_f64());
    let file = format!("{}-{connections}-round{round}.txt", target.name.replace([' ', ','], "-"));
    fs::write(out.join(&file), &text).doing(format!("writing {file}"))?;
    let word_after =
        |label: &str| text.lines().find_map(|line| Some(line.trim().strip_prefix(label)?.trim().to_owned()));
    let per_second: Option<f64> = word_after("Requests/sec:").and_then(|n| n.parse().ok());
    let per_second = per_second.ok_or_else(|| failed(format!("wrk printed no rate: {text}")))?;
    Ok(Measurement {
        target: target.name,
        round,
        connections,
        per_second,
        per_cpu_second: per_second * wall / cpu,
        server_load: cpu / wall,
        p99: word_after("99%").unwrap_or_default(),
        is_clean: !text.contains("Socket errors") && !text.contains("Non-2xx"),
    })
}

/// Fills a line with so many people, each another user, and returns the token of whoever joined last.
pub(crate) fn crowd(service: &Service, people: u64, out: &Path) -> Outcome<String> {
    let script = write_script(out, CROWD_FILE, CROWD)?;
    let mut user = 1_000;
    loop {
        let mut command = generator(64, 5);
        command.env("FIRST_USER", user.to_string());
        output(command.arg("--script").arg(&script).arg(service.url("/user")))?;
        user += 10_000_000;
        let token = service.join(user)?;
        let status = service.get("/user/queue/token/query", &[("waitingToken", &token)])?;
        let position = status.split_once("\"position\":").and_then(|(_, rest)| rest.split_once(','));
        let position: u64 = position.and_then(|(n, _)| n.parse().ok()).unwrap_or(0);
        println!("waiting: {position}");
        if position >= people {
            return Ok(token);
        }
    }
}

/// Scripts lie beside the raw output they made.
fn write_script(out: &Path, file: &str, text: &str) -> Outcome<PathBuf> {
    let script = out.join(file);
    fs::write(&script, text).doing(format!("writing {file}"))?;
    Ok(script)
}

const CROWD_FILE: &str = "crowd.lua";
const PAGES_FILE: &str = "pages.lua";

/// Each request another of a thousand pages; a step that shares no factor with a thousand visits them all.
const PAGES: &str = r#"
local page = 0
function request()
  page = (page + 379) % 1000
  return wrk.format("GET", wrk.path .. "?page=" .. (page + 1))
end
"#;

/// Users of one measurement and of one round are never those of another.
const ROUND: u64 = 100_000_000_000;
const CONNECTION: u64 = 100_000_000;

/// Each request another user.
const CROWD: &str = r#"
local user = tonumber(os.getenv("FIRST_USER"))
function request()
  user = user + 1
  return wrk.format("POST", wrk.path .. "/" .. user .. "/queue/token/issue")
end
"#;

/// Whatever this program starts from here on runs on the generator's core, but for servers, which are told their own.
pub(crate) fn share_the_generators_core() -> Outcome {
    let mut command = Command::new("taskset");
    let id = std::process::id().to_string();
    command.args(["--all-tasks", "--cpu-list", "--pid", GENERATOR_CORE, &id]);
    run(command)
}

fn generator(connections: u32, seconds: u32) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", GENERATOR_CORE, "wrk", "--threads", "1", "--timeout", "5s"]);
    command.args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
    command
}

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().doing("starting wrk")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(failed(format!("wrk ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr))))
}
