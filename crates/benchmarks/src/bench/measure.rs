//! Targets of a measurement, and its result.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::service::Service;
use super::wrk::{self, Figures, Script};
use test_support::Outcome;

/// A target of requests.
pub(crate) struct Target<'a> {
    pub(crate) name: String,
    service: &'a Service,
    url: String,
    header: Option<(&'static str, &'a str)>,
    asks: Asks<'a>,
}

/// The requests of a measurement.
#[derive(Clone, Copy)]
enum Asks<'a> {
    /// All the same request.
    Same,
    /// A join for a different user each.
    Joins,
    /// A different page of the list each, out of this many.
    Pages(u32),
    /// The dates of a different concert each, with the next token of a file.
    Dates { concerts: u32, tokens: &'a Path },
}

/// One measurement.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measurement {
    pub(crate) target: String,
    pub(crate) round: u32,
    pub(crate) connections: u32,
    pub(crate) figures: Figures,
    /// Requests per second of processor time of the server.
    pub(crate) per_cpu_second: f64,
    /// The share of its core that the server used, from 0 to 1.
    pub(crate) server_load: f64,
    /// Memory in use by the server afterwards, bytes.
    pub(crate) memory: u64,
}

impl Measurement {
    pub(crate) fn per_second(&self) -> f64 {
        self.figures.requests as f64 / self.figures.seconds
    }
}

impl<'a> Target<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        service: &'a Service,
        path: &str,
        header: Option<(&'static str, &'a str)>,
    ) -> Self {
        Self { name: name.into(), service, url: service.url(path), header, asks: Asks::Same }
    }

    /// Status queries with one token.
    pub(crate) fn status(name: impl Into<String>, service: &'a Service, token: &'a str) -> Self {
        Self::new(name, service, "/user/queue/token/query", Some(("waitingToken", token)))
    }

    /// Joins, each for a different user.
    pub(crate) fn joining(name: impl Into<String>, service: &'a Service) -> Self {
        Self { asks: Asks::Joins, ..Self::new(name, service, "/user", None) }
    }

    /// This many pages of the list, in turn.
    pub(crate) fn paging(name: impl Into<String>, service: &'a Service, pages: u32) -> Self {
        Self { asks: Asks::Pages(pages), ..Self::new(name, service, "/concerts/query", None) }
    }

    /// The dates of this many concerts, requested with the tokens in a file, one a line.
    pub(crate) fn dates(
        name: impl Into<String>,
        service: &'a Service,
        concerts: u32,
        tokens: &'a Path,
    ) -> Self {
        Self {
            asks: Asks::Dates { concerts, tokens },
            ..Self::new(name, service, "/concert", None)
        }
    }

    /// Repeats the request, and keeps wrk's output.
    pub(crate) fn measure(
        &self,
        connections: u32,
        seconds: u32,
        out: &Path,
        round: u32,
    ) -> Outcome<Measurement> {
        let mut wrk = wrk::Wrk::new(connections, seconds);
        if let Some((name, value)) = self.header {
            wrk.header(name, value);
        }
        match self.asks {
            Asks::Same => wrk.script(Script::Plain),
            Asks::Joins => {
                let first = u64::from(round) * ROUND + u64::from(connections) * CONNECTION;
                wrk.script(Script::Crowd).env("FIRST_USER", first)
            }
            Asks::Pages(pages) => wrk.script(Script::Pages).env("PAGES", pages),
            Asks::Dates { concerts, tokens } => {
                wrk.script(Script::Dates).env("CONCERTS", concerts).env("TOKENS", tokens.display())
            }
        };
        let (cpu_before, before) = (self.service.cpu_seconds()?, Instant::now());
        let file = format!("{}-{connections}-round{round}.txt", self.name.replace([' ', ','], "-"));
        let figures = wrk.run(&self.url, out, &file)?;
        let (cpu, wall) =
            (self.service.cpu_seconds()? - cpu_before, before.elapsed().as_secs_f64());
        let per_second = figures.requests as f64 / figures.seconds;
        println!("round {round}, {connections} connections, {}: {per_second:.0}/s", self.name);
        Ok(Measurement {
            target: self.name.clone(),
            round,
            connections,
            figures,
            per_cpu_second: per_second * wall / cpu,
            server_load: cpu / wall,
            memory: self.service.memory()?,
        })
    }
}

/// Fills a queue with `people` different users, and returns the token of the last.
pub(crate) fn crowd(service: &Service, people: u64, out: &Path) -> Outcome<String> {
    let mut user = 1_000;
    loop {
        let mut wrk = wrk::Wrk::new(64, 5);
        wrk.script(Script::Crowd).env("FIRST_USER", user);
        wrk.run(&service.url("/user"), out, "crowd.txt")?;
        user += 10_000_000;
        let token = service.join(user)?;
        let status = service.get("/user/queue/token/query", &[("waitingToken", &token)])?;
        let position =
            status.split_once("\"position\":").and_then(|(_, rest)| rest.split_once(','));
        let position: u64 = position.and_then(|(n, _)| n.parse().ok()).unwrap_or(0);
        println!("waiting: {position}");
        if position >= people {
            return Ok(token);
        }
    }
}

/// Keeps the users of each measurement and round apart.
const ROUND: u64 = 100_000_000_000;
const CONNECTION: u64 = 100_000_000;
