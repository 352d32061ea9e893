//! Joins and status queries over HTTP.

use std::path::Path;

use super::{CONNECTIONS, Pair};
use crate::bench::measure::{Measurement, Target};
use crate::bench::report::{BASELINE, Results};
use crate::bench::service::Service;
use crate::bench::{EVER_LONGER, KEY, STANDING_STILL};
use crate::stats::Rounds;
use test_support::{Outcome, RedisBinaries};

const JOIN_MEMORY: &str = "join, memory";
pub(super) const JOIN_REDIS: &str = "join, Redis";
pub(super) const JOIN_REPLICATED: &str = "join, Redis, replicated";
pub(super) const STATUS_MEMORY: &str = "status query, memory";
pub(super) const STATUS_REDIS: &str = "status query, Redis";

pub(super) fn on_redis(pair: &Pair, more: &[&str]) -> Outcome<Service> {
    let url = format!("redis.queue.url={}", pair.url());
    let settings = ["queue.store=redis", EVER_LONGER, KEY, &url];
    Service::start("serve", &[&STANDING_STILL[..], &settings, more].concat())
}

pub(super) fn measure(binaries: &RedisBinaries, rounds: Rounds, out: &Path) -> Outcome<Results> {
    let pair = Pair::start(binaries)?;
    let baseline = Service::start("baseline", &[])?;
    let mut results = Results::new(rounds);
    for round in 1..=results.rounds() {
        // Each round gets a new queue, so that all rounds start alike.
        let memory = Service::start("serve", &[&STANDING_STILL[..], &[EVER_LONGER]].concat())?;
        let redis = on_redis(&pair, &[&format!("queue.id=primary-{round}")])?;
        let replicated = on_redis(
            &pair,
            &[&format!("queue.id=replicated-{round}"), "queue.durability=replicated"],
        )?;
        let (in_memory, in_redis) = (memory.join_until(10)?, redis.join_until(10)?);
        let targets = [
            Target::new(BASELINE, &baseline, "/constant", None),
            Target::joining(JOIN_MEMORY, &memory),
            Target::joining(JOIN_REDIS, &redis),
            Target::joining(JOIN_REPLICATED, &replicated),
            Target::status(STATUS_MEMORY, &memory, &in_memory),
            Target::status(STATUS_REDIS, &redis, &in_redis),
        ];
        results.measure_round(round, &targets, out)?;
        pair.primary.command(&["FLUSHALL"])?;
    }
    Ok(results)
}

/// Half of the joins a second that the service achieved on Redis.
pub(super) fn half_of_joins(results: &Results) -> u64 {
    let most = results.median(JOIN_REDIS, CONNECTIONS[1]).map_or(0.0, Measurement::per_second);
    (most / 2.0) as u64
}
