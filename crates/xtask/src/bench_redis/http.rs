//! Joins and questions over HTTP.

use std::path::Path;

use super::{CONNECTIONS, Pair};
use crate::bench::measure::{Measurement, Target};
use crate::bench::service::Service;
use crate::figures::{Rounds, spread};
use test_support::{Outcome, RedisBinaries};

pub(super) const CONSTANT: &str = "constant answer";
pub(super) const JOIN_MEMORY: &str = "join, memory";
pub(super) const JOIN_REDIS: &str = "join, Redis";
pub(super) const JOIN_REPLICATED: &str = "join, Redis, replicated";
pub(super) const STATUS_MEMORY: &str = "status query, memory";
pub(super) const STATUS_REDIS: &str = "status query, Redis";

pub(super) const TARGETS: [&str; 6] =
    [CONSTANT, JOIN_MEMORY, JOIN_REDIS, JOIN_REPLICATED, STATUS_MEMORY, STATUS_REDIS];

/// What was measured, in every round.
pub(super) struct OverHttp(Vec<Measurement>);

/// The budget of one person an hour is spent by the first who joins; after that the line stands still.
pub(super) const STANDING_STILL: [&str; 3] =
    ["queue.policy.batch=1", "queue.policy.every=1h", "queue.policy.max_waiting=100000000"];

/// Any key will do.
const KEY: &str = "queue.keys=YmVuY2htYXJrYmVuY2htYXJrYmVuY2htYXJrYmVuY2g=";

pub(super) fn on_redis(pair: &Pair, more: &[&str]) -> Outcome<Service> {
    let url = format!("redis.queue.url={}", pair.url());
    let mut settings: Vec<&str> = STANDING_STILL.to_vec();
    settings.extend(["queue.store=redis", KEY, &url]);
    settings.extend(more);
    Service::start("serve", &settings)
}

pub(super) fn measure(binaries: &RedisBinaries, rounds: &Rounds, out: &Path) -> Outcome<OverHttp> {
    let pair = Pair::start(binaries)?;
    let yardstick = Service::start("yardstick", &[])?;
    let mut measured = Vec::new();
    for round in 1..=rounds.rounds {
        // A line of its own for each round, so that all begin with the same.
        let memory = Service::start("serve", &STANDING_STILL)?;
        let redis = on_redis(&pair, &[&format!("queue.id=primary-{round}")])?;
        let replicated =
            on_redis(&pair, &[&format!("queue.id=replicated-{round}"), "queue.durability=replicated"])?;
        let (in_memory, in_redis) = (memory.join_until(10)?, redis.join_until(10)?);
        let targets = [
            Target::new(CONSTANT, &yardstick, "/constant", None),
            Target::joining(JOIN_MEMORY, &memory),
            Target::joining(JOIN_REDIS, &redis),
            Target::joining(JOIN_REPLICATED, &replicated),
            Target::status(STATUS_MEMORY, &memory, &in_memory),
            Target::status(STATUS_REDIS, &redis, &in_redis),
        ];
        for connections in CONNECTIONS {
            for target in &targets {
                measured.push(target.measure(connections, rounds.seconds, out, round)?);
            }
        }
        pair.primary.command(&["FLUSHALL"])?;
    }
    Ok(OverHttp(measured))
}

/// One figure of a measurement.
pub(super) type Figure = fn(&Measurement) -> f64;

impl OverHttp {
    fn of(&self, target: &str, connections: u32) -> impl Iterator<Item = &Measurement> {
        self.0.iter().filter(move |m| m.target == target && m.connections == connections)
    }

    /// Lowest, median and highest of the rounds' ratios.
    pub(super) fn ratios(&self, figure: Figure, target: &str, to: &str, connections: u32) -> (f64, f64, f64) {
        let pairs = self.of(target, connections).zip(self.of(to, connections));
        spread(pairs.map(|(target, to)| figure(target) / figure(to)))
    }

    /// The median round of a target.
    pub(super) fn median(&self, target: &str, connections: u32) -> Option<&Measurement> {
        let mut rounds: Vec<_> = self.of(target, connections).collect();
        rounds.sort_by(|a, b| a.per_second().total_cmp(&b.per_second()));
        rounds.get(rounds.len() / 2).copied()
    }

    /// Half of the joins a second that the service took on Redis.
    pub(super) fn half_of_joins(&self) -> u64 {
        let most = self.median(JOIN_REDIS, CONNECTIONS[1]).map_or(0.0, Measurement::per_second);
        (most / 2.0) as u64
    }

    pub(super) fn is_clean(&self) -> bool {
        self.0.iter().all(|m| m.figures.errors == 0)
    }
}
