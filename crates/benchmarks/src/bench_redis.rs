//! `cargo xtask bench-redis`: the queue in Redis, against the queue in memory and a constant
//! answer.
//!
//! One server worker runs on one core; wrk and Redis share the other. Every round measures every
//! target once.

mod http;
mod report;
mod steady;
mod store;

use std::path::PathBuf;

use clap::Args;

use crate::affinity;
use crate::bench::{make_folder, save, wrk};
use crate::stats::Rounds;
use test_support::workspace::build_release;
use test_support::{Outcome, Redis, RedisBinaries, RedisSetup};

/// The arguments of `cargo xtask bench-redis`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    measure: Rounds,
    /// Waiting people for the measurements of memory and of calling
    #[arg(long, default_value_t = 1_000_000)]
    crowd: u64,
    /// Folder for raw output and the tables, relative to the repository
    #[arg(long, default_value = "loadtest/results/redis")]
    out: PathBuf,
}

/// Connections of wrk, and concurrent callers of the adapter alone.
const CONNECTIONS: [u32; 2] = [64, 256];

/// A primary with a replica.
struct Pair {
    primary: Redis,
    _replica: Redis,
}

impl Pair {
    fn start(binaries: &RedisBinaries) -> Outcome<Self> {
        let primary = Redis::start(binaries, RedisSetup::default())?;
        let replica = Redis::start(binaries, RedisSetup::default().replica_of(primary.address()))?;
        primary.wait_for_replica(&replica)?;
        Ok(Self { primary, _replica: replica })
    }

    fn url(&self) -> String {
        format!("redis://{}", self.primary.address())
    }
}

/// Runs it.
///
/// # Errors
/// If a tool is missing, or the build or a measurement fails.
pub fn bench_redis(arguments: &Arguments) -> Outcome {
    wrk::require_tools()?;
    let binaries = RedisBinaries::find()?;
    build_release()?;
    let program = store::Program::build()?;
    affinity::stay_on(affinity::GENERATOR)?;
    let out = make_folder(&arguments.out)?;

    let over_http = http::measure(&binaries, arguments.measure, &out)?;
    let alone = store::measure_joins(&binaries, &program, &arguments.measure, &out)?;
    let crowd = store::measure_crowd(&binaries, &program, arguments.crowd, &out)?;
    let steady = steady::measure(
        &binaries,
        http::half_of_joins(&over_http),
        arguments.measure.seconds,
        &out,
    )?;

    let text = report::markdown(&over_http, &alone, &crowd, &steady, &arguments.measure);
    save(&text, &out)?;
    over_http.check_clean()
}
