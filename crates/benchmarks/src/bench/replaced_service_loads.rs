//! The loads at which the replaced service failed: one connection for each of its users, each
//! sending the next request as soon as the last is answered.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::measure::{Measurement, Target};
use super::service::Service;
use super::{EVER_LONGER, KEY};
use crate::database::Filled;
use crate::environment::Environment;
use crate::stats::Rounds;
use test_support::{Doing as _, Outcome, Redis, RedisSetup, failed, find_or_install_redis};

/// All loads of a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Breaking {
    pub(crate) environment: Environment,
    pub(crate) loads: Vec<Load>,
}

/// One load.
#[derive(Deserialize, Serialize)]
pub(crate) struct Load {
    pub(crate) what: String,
    /// Settings other than the defaults.
    pub(crate) settings: String,
    pub(crate) connections: u32,
    /// The limit of the 95th percentile, in microseconds; `None` if the load is only reported.
    pub(crate) limit: Option<u64>,
    pub(crate) rounds: Vec<Measurement>,
}

impl Load {
    fn new(what: &str, settings: &str, connections: u32, limit: Option<u64>) -> Self {
        let (what, settings) = (what.to_owned(), settings.to_owned());
        Self { what, settings, connections, limit, rounds: Vec::new() }
    }

    fn measure(&mut self, target: &Target<'_>, round: u32, how: How<'_>) -> Outcome {
        self.rounds.push(target.measure(self.connections, how.rounds.seconds, how.out, round)?);
        Ok(())
    }

    /// The round with the median p95.
    pub(crate) fn median(&self) -> Option<&Measurement> {
        let mut rounds: Vec<_> = self.rounds.iter().collect();
        rounds.sort_by_key(|round| round.figures.p95);
        rounds.get(rounds.len() / 2).copied()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.rounds.iter().map(|round| round.figures.errors).sum()
    }

    pub(crate) fn is_met(&self) -> bool {
        let in_time =
            |limit| self.median().is_some_and(|median: &Measurement| median.figures.p95 <= limit);
        self.limit.is_none_or(|limit| self.errors() == 0 && in_time(limit))
    }
}

/// The numbers of users at which it failed, and those at which it performed best.
const JOINING: [u32; 2] = [12_000, 400];
const LISTING: [u32; 2] = [8_000, 900];
const READING: [u32; 3] = [600, 300, 70];
pub(super) const CONCERTS: u32 = 10_000;
pub(super) const SEATS: u64 = 1_000_000;
/// Every request queries the database, except concurrent ones that share a query.
pub(super) const UNCACHED: [&str; 2] = ["cache.store=none", "cache.dates.local_bytes=0"];
/// Limit for admitting everyone who joined.
const LET_IN_WITHIN: Duration = Duration::from_secs(20);

/// The request of each scenario of the report.
pub(crate) const JOIN: &str = "issue a waiting token, line in memory";
pub(crate) const JOIN_REDIS: &str = "issue a waiting token, line in Redis";
pub(crate) const LIST: &str = "list concerts, 1,000 pages in turn";
pub(crate) const READ: &str = "read dates behind a pool of 10";
pub(crate) const READ_UNCACHED: &str = "read dates behind a pool of 10, no cache";

pub(super) fn measure(rounds: Rounds, out: &Path) -> Outcome<Breaking> {
    let redis =
        Redis::start(&find_or_install_redis(|line| println!("{line}"))?, RedisSetup::default())?;
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let how = How { rounds, out };
    let mut loads = how.joining(JOIN, &[], Some(300_000))?;
    // Reported without a limit: Redis shares its core with the other ends of twelve thousand
    // connections.
    loads.extend(how.joining(JOIN_REDIS, &["queue.store=redis", KEY, &url], None)?);
    drop(redis);
    loads.extend(how.listing()?);
    let database = Filled::start(CONCERTS, SEATS)?;
    let pool = ["catalog.store=postgres", "postgres.pool.size=10"];
    loads.extend(how.reading(READ, &database, &pool, Some(100_000))?);
    loads.extend(how.reading(READ_UNCACHED, &database, &[&pool[..], &UNCACHED].concat(), None)?);
    Ok(Breaking { environment: Environment::now(&[&["wrk", "--version"]]), loads })
}

#[derive(Clone, Copy)]
struct How<'a> {
    rounds: Rounds,
    out: &'a Path,
}

impl How<'_> {
    /// Each round uses a new queue; otherwise the last would start with millions of people in it.
    fn joining(self, what: &str, settings: &[&str], p95: Option<u64>) -> Outcome<Vec<Load>> {
        let reported = settings
            .first()
            .into_iter()
            .copied()
            .chain([EVER_LONGER])
            .collect::<Vec<_>>()
            .join(" ");
        let load = |connections| {
            let mut load =
                Load::new(what, &reported, connections, limit(connections, &JOINING, p95));
            for round in 1..=self.rounds.rounds {
                let id = format!("queue.id=load-{connections}-{round}");
                let service = Service::start("serve", &[settings, &[EVER_LONGER, &id]].concat())?;
                load.measure(&Target::joining(what, &service), round, self)?;
            }
            Ok(load)
        };
        JOINING.into_iter().map(load).collect()
    }

    fn listing(self) -> Outcome<Vec<Load>> {
        let service = Service::start("serve", &[])?;
        let target = Target::paging(LIST, &service, CONCERTS / 10);
        let load = |connections| {
            let mut load =
                Load::new(LIST, "", connections, limit(connections, &LISTING, Some(300_000)));
            (1..=self.rounds.rounds).try_for_each(|round| load.measure(&target, round, self))?;
            Ok(load)
        };
        LISTING.into_iter().map(load).collect()
    }

    fn reading(
        self,
        what: &str,
        database: &Filled,
        settings: &[&str],
        p95: Option<u64>,
    ) -> Outcome<Vec<Load>> {
        let url = format!("postgres.url={}", database.url());
        let people = ["queue.policy.batch=1000", "queue.policy.session_ttl=1h"];
        let service = Service::start("serve", &[settings, &people, &[&url]].concat())?;
        // The tokens are useless after the run, so they are not kept with the results.
        let tokens = NamedTempFile::new().doing("making a temporary file")?;
        fs::write(tokens.path(), admit(&service)?.join("\n") + "\n").doing("writing tokens")?;
        let target = Target::dates(what, &service, CONCERTS, tokens.path());
        let load = |connections| {
            let limit = limit(connections, &READING, p95);
            let mut load = Load::new(what, &settings.join(" "), connections, limit);
            (1..=self.rounds.rounds).try_for_each(|round| load.measure(&target, round, self))?;
            Ok(load)
        };
        READING.into_iter().map(load).collect()
    }
}

/// The limit applies only to the load at which the replaced service failed.
fn limit(connections: u32, all: &[u32], p95: Option<u64>) -> Option<u64> {
    p95.filter(|_| all.first() == Some(&connections))
}

/// Joins one person for each connection of the largest reading load, and returns their tokens once
/// each has an active session.
pub(super) fn admit(service: &Service) -> Outcome<Vec<String>> {
    let tokens =
        (1..=u64::from(READING[0])).map(|user| service.join(user)).collect::<Outcome<Vec<_>>>()?;
    let limit = Instant::now() + LET_IN_WITHIN;
    for token in &tokens {
        while service.get("/concert/451/date", &[("waitingToken", token)]).is_err() {
            if Instant::now() > limit {
                return Err(failed("people who joined are not admitted in time"));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    Ok(tokens)
}
