//! The service that a scenario runs against, with its stores.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use test_support::{Outcome, Redis, RedisSetup, find_or_install_redis};

use super::scenario::write_name;
use crate::bench::KEY;
use crate::bench::service::Service;
use crate::database::Filled;

/// Where the service keeps its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum On {
    /// Its own memory
    Embedded,
    /// Postgres, a Redis for the queue and another for the cache
    Shared,
}

/// Service and stores stop on drop.
pub(super) struct Stack {
    service: Service,
    on: On,
    settings: Vec<String>,
    _stores: Option<Stores>,
}

struct Stores {
    database: Filled,
    line: Redis,
    copies: Redis,
}

const CONCERTS: u32 = 10_000;
const SEATS: u64 = 100_000;

impl Stack {
    pub(super) fn start(on: On, program: &Path, settings: Vec<String>) -> Outcome<Self> {
        let stores = match on {
            On::Embedded => None,
            On::Shared => Some(Stores::start(program)?),
        };
        let of_stores = stores.as_ref().map(Stores::settings).unwrap_or_default();
        let all: Vec<&str> = of_stores.iter().chain(&settings).map(String::as_str).collect();
        let service = Service::start_program(program, "serve", &all)?;
        Ok(Self { service, on, settings, _stores: stores })
    }

    pub(super) fn url(&self) -> String {
        self.service.url("")
    }

    pub(super) fn id(&self) -> u32 {
        self.service.id()
    }

    /// Settings other than the defaults and the addresses of stores.
    pub(super) fn settings(&self) -> Vec<String> {
        self.settings.clone()
    }

    pub(super) fn config_hash(&self) -> Outcome<String> {
        self.service.config_hash()
    }

    pub(super) fn topology(&self) -> String {
        let rest = match self.on {
            On::Embedded => "queue, catalog and cache in its memory; 10,000 concerts".to_owned(),
            On::Shared => format!(
                "the queue in one Redis, the cache in another, catalog and checkpoints in Postgres with {CONCERTS} concerts and \
                 {SEATS} seats, all on the generator's core"
            ),
        };
        format!("one node with one worker on a core of its own, k6 on another; {rest}")
    }
}

impl Stores {
    fn start(program: &Path) -> Outcome<Self> {
        let redis = find_or_install_redis(|line| println!("{line}"))?;
        let for_copies =
            RedisSetup::default().line("appendonly no").line("maxmemory-policy allkeys-lfu");
        Ok(Self {
            database: Filled::by(program, CONCERTS, SEATS)?,
            line: Redis::start(&redis, RedisSetup::default())?,
            copies: Redis::start(&redis, for_copies.line("maxmemory 64mb"))?,
        })
    }

    fn settings(&self) -> Vec<String> {
        vec![
            "catalog.store=postgres".to_owned(),
            "queue.checkpoint.store=postgres".to_owned(),
            format!("postgres.url={}", self.database.url()),
            "queue.store=redis".to_owned(),
            KEY.to_owned(),
            format!("redis.queue.url=redis://{}", self.line.address()),
            "cache.store=redis".to_owned(),
            format!("redis.cache.url=redis://{}", self.copies.address()),
        ]
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(*self, f)
    }
}
