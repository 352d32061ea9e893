//! The cost of each request, as a ratio to a constant answer.

use std::path::Path;

use super::measure::{Measurement, Target};
use super::report::{BASELINE, Results};
use super::service::Service;
use super::{CONNECTIONS, EVER_LONGER, KEY, STANDING_STILL};
use crate::stats::Rounds;
use test_support::{Outcome, Redis, RedisSetup, find_or_install_redis};

const STATUS: &str = "status query";
const PAGE: &str = "concert page, 200";
const UNCHANGED: &str = "concert page, 304";
const DATES: &str = "dates, active session";
const JOIN_MEMORY: &str = "join, memory";
const JOIN_REDIS: &str = "join, Redis";

/// The lowest allowed ratio of each request.
pub(crate) const FLOORS: [(&str, f64); 6] = [
    (STATUS, 0.50),
    (PAGE, 0.60),
    (UNCHANGED, 0.65),
    (DATES, 0.45),
    (JOIN_MEMORY, 0.45),
    (JOIN_REDIS, 0.45),
];

/// Below this share of its core, a server was waiting for the generator or for Redis next to it.
/// Then requests a second measure those two, and the ratio that counts is the one by the server's
/// own processor time.
pub(crate) const BUSY: f64 = 0.9;

/// Read requests share one service. Joins get a new queue in every round, so that all rounds start
/// alike.
pub(super) fn measure(rounds: Rounds, out: &Path) -> Outcome<Results> {
    let redis =
        Redis::start(&find_or_install_redis(|line| println!("{line}"))?, RedisSetup::default())?;
    let baseline = Service::start("baseline", &[])?;
    let requested = Service::start("serve", &STANDING_STILL)?;
    let inside = requested.join(1)?;
    requested.get("/concert/451/date", &[("waitingToken", &inside)])?;
    let waiting = requested.join_until(10)?;
    let etag = requested.etag(PAGE_ONE)?;
    let mut results = Results::new(rounds);
    for round in 1..=results.rounds() {
        let in_memory = Service::start("serve", &[&STANDING_STILL[..], &[EVER_LONGER]].concat())?;
        let in_redis = on_redis(&redis, round)?;
        let targets = [
            Target::new(BASELINE, &baseline, "/constant", None),
            Target::status(STATUS, &requested, &waiting),
            Target::new(PAGE, &requested, PAGE_ONE, None),
            Target::new(UNCHANGED, &requested, PAGE_ONE, Some(("If-None-Match", &etag))),
            Target::new(DATES, &requested, "/concert/451/date", Some(("waitingToken", &inside))),
            Target::joining(JOIN_MEMORY, &in_memory),
            Target::joining(JOIN_REDIS, &in_redis),
        ];
        results.measure_round(round, &targets, out)?;
        redis.command(&["FLUSHALL"])?;
    }
    Ok(results)
}

const PAGE_ONE: &str = "/concerts/query?page=1";

fn on_redis(redis: &Redis, round: u32) -> Outcome<Service> {
    let url = format!("redis.queue.url=redis://{}", redis.address());
    let id = format!("queue.id=round-{round}");
    let own = [EVER_LONGER, "queue.store=redis", KEY, &url, &id];
    Service::start("serve", &[&STANDING_STILL[..], &own].concat())
}

/// A floor and the measured ratio.
pub(crate) struct Held {
    pub(crate) target: &'static str,
    pub(crate) connections: u32,
    pub(crate) floor: f64,
    /// The median of the rounds.
    pub(crate) ratio: f64,
    pub(crate) by: &'static str,
}

impl Held {
    pub(crate) fn is_held(&self) -> bool {
        self.ratio >= self.floor
    }
}

/// Every floor, for each number of connections.
pub(crate) fn floors(results: &Results) -> Vec<Held> {
    let of = |(target, floor): (&'static str, f64), connections| {
        let busy = results.median(target, connections).is_some_and(|m| m.server_load >= BUSY);
        let (_, rate, _) = results.ratios(Measurement::per_second, target, BASELINE, connections);
        let (_, own, _) = results.ratios(|m| m.per_cpu_second, target, BASELINE, connections);
        let (ratio, by) = if busy { (rate, "requests a second") } else { (own, "processor time") };
        Held { target, connections, floor, ratio, by }
    };
    FLOORS
        .into_iter()
        .flat_map(|floor| CONNECTIONS.map(|connections| of(floor, connections)))
        .collect()
}
