//! The loads at which the service this one replaces failed: as many connections as it had users, each asking again as
//! soon as it is answered.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::measure::{Measurement, Target};
use super::service::Service;
use super::{EVER_LONGER, KEY};
use crate::figures::Rounds;
use crate::postgres::Filled;
use test_support::{Doing as _, Outcome, Redis, RedisSetup, failed, find_or_install_redis};

/// All of them.
#[derive(Deserialize, Serialize)]
pub(crate) struct Breaking {
    pub(crate) environment: Environment,
    pub(crate) loads: Vec<Load>,
}

/// One of them.
#[derive(Deserialize, Serialize)]
pub(crate) struct Load {
    pub(crate) what: String,
    /// Settings other than the defaults.
    pub(crate) settings: String,
    pub(crate) connections: u32,
    /// The 95th percentile may be so long, microseconds; nothing where it is only told.
    pub(crate) limit: Option<u64>,
    pub(crate) rounds: Vec<Measurement>,
}

impl Load {
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
        let in_time = |limit| self.median().is_some_and(|median: &Measurement| median.figures.p95 <= limit);
        self.errors() == 0 && self.limit.is_none_or(in_time)
    }
}

const JOINING: u32 = 12_000;
const LISTING: u32 = 8_000;
const READING: u32 = 600;
const CONCERTS: u32 = 10_000;
const SEATS: u64 = 1_000_000;
/// How long people may take to be let in.
const LET_IN_WITHIN: Duration = Duration::from_secs(20);
const TOKENS: &str = "tokens";

pub(super) fn measure(rounds: Rounds, out: &Path) -> Outcome<Breaking> {
    let redis = Redis::start(&find_or_install_redis(|line| println!("{line}"))?, RedisSetup::default())?;
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let mut loads = vec![
        joining("issue a waiting token, line in memory", &[], rounds, out)?,
        joining("issue a waiting token, line in Redis", &["queue.store=redis", KEY, &url], rounds, out)?,
        listing(rounds, out)?,
    ];
    drop(redis);
    let database = Filled::start(CONCERTS, SEATS)?;
    let pool = ["catalog.store=postgres", "postgres.pool.size=10"];
    let uncached = ["cache.store=none", "cache.dates.local_bytes=0"];
    loads.push(reading("read dates behind a pool of 10", &database, &pool, Some(100_000), rounds, out)?);
    let all = [&pool[..], &uncached].concat();
    loads.push(reading("read dates behind a pool of 10, no cache", &database, &all, None, rounds, out)?);
    Ok(Breaking { environment: Environment::now(&[&["wrk", "--version"]]), loads })
}

/// A new line in every round: otherwise the last has millions in it.
fn joining(what: &str, settings: &[&str], rounds: Rounds, out: &Path) -> Outcome<Load> {
    let mut measured = Vec::new();
    for round in 1..=rounds.rounds {
        let id = format!("queue.id=load-{round}");
        let service = Service::start("serve", &[settings, &[EVER_LONGER, &id]].concat())?;
        measured.push(Target::joining(what, &service).measure(JOINING, rounds.seconds, out, round)?);
    }
    let own = [settings.first().copied().unwrap_or_default(), EVER_LONGER].join(" ");
    Ok(Load {
        what: what.to_owned(),
        settings: own.trim().to_owned(),
        connections: JOINING,
        limit: Some(300_000),
        rounds: measured,
    })
}

fn listing(rounds: Rounds, out: &Path) -> Outcome<Load> {
    let what = "list concerts, 1,000 pages in turn";
    let service = Service::start("serve", &[])?;
    let target = Target::paging(what, &service, CONCERTS / 10);
    let measured = (1..=rounds.rounds).map(|round| target.measure(LISTING, rounds.seconds, out, round));
    Ok(Load {
        what: what.to_owned(),
        settings: String::new(),
        connections: LISTING,
        limit: Some(300_000),
        rounds: measured.collect::<Outcome<_>>()?,
    })
}

fn reading(
    what: &str,
    database: &Filled,
    settings: &[&str],
    limit: Option<u64>,
    rounds: Rounds,
    out: &Path,
) -> Outcome<Load> {
    let url = format!("postgres.url={}", database.url());
    let people = ["queue.policy.batch=1000", "queue.policy.session_ttl=1h"];
    let service = Service::start("serve", &[settings, &people, &[&url]].concat())?;
    let tokens = out.join(TOKENS);
    let inside = let_in(&service)?;
    fs::write(&tokens, inside.join("\n") + "\n").doing("writing tokens")?;
    let target = Target::dates(what, &service, CONCERTS, &tokens);
    let measured = (1..=rounds.rounds).map(|round| target.measure(READING, rounds.seconds, out, round));
    let rounds = measured.collect::<Outcome<_>>()?;
    fs::remove_file(&tokens).doing("removing tokens")?;
    let settings = settings.join(" ");
    Ok(Load { what: what.to_owned(), settings, connections: READING, limit, rounds })
}

/// Tokens of as many people as there are connections, each with an active session.
fn let_in(service: &Service) -> Outcome<Vec<String>> {
    let tokens = (1..=u64::from(READING)).map(|user| service.join(user)).collect::<Outcome<Vec<_>>>()?;
    let limit = Instant::now() + LET_IN_WITHIN;
    for token in &tokens {
        while service.get("/concert/451/date", &[("waitingToken", token)]).is_err() {
            if Instant::now() > limit {
                return Err(failed("people who joined are not let in"));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    Ok(tokens)
}
