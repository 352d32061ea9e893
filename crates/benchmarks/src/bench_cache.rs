//! `cargo xtask bench-cache`: pages and dates from each level of the cache, against a constant
//! answer.
//!
//! One server worker runs on one core; wrk and Redis share the other.

use std::path::PathBuf;

use clap::Args;

use crate::affinity;
use crate::bench::measure::Target;
use crate::bench::report::{BASELINE, Results};
use crate::bench::service::Service;
use crate::bench::{KEY, make_folder, save, wrk};
use crate::stats::Rounds;
use test_support::workspace::build_release;
use test_support::{Outcome, Redis, RedisBinaries, RedisSetup};

/// The arguments of `cargo xtask bench-cache`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    measure: Rounds,
    /// Folder for raw output and the table, relative to the repository
    #[arg(long, default_value = "loadtest/results/cache")]
    out: PathBuf,
}

const WHAT: &str = "\
Printed by `cargo xtask bench-cache`. The full stack is on: the cache with its second level in a Redis, breakers, limits. \
\"From Redis\" is a service that keeps nothing in the process, so that every request asks Redis; of one page, where requests \
at once share a question, and of a thousand in turn, where hardly any do.";

/// Runs it.
///
/// # Errors
/// If a tool is missing, or the build or a measurement fails.
pub fn bench_cache(arguments: &Arguments) -> Outcome {
    wrk::require_tools()?;
    let binaries = RedisBinaries::find()?;
    build_release()?;
    affinity::stay_on(affinity::GENERATOR)?;
    let out = make_folder(&arguments.out)?;

    let redis = Redis::start(&binaries, RedisSetup::default())?;
    let url = format!("redis.cache.url=redis://{}", redis.address());
    // Long lifetimes, so that the run measures the level and not the source behind it.
    let kept = [
        "cache.store=redis",
        KEY,
        &url,
        "cache.concerts.ttl=1h",
        "cache.dates.ttl=1h",
        "cache.concerts.jitter=0",
    ];
    let full = Service::start("serve", &kept)?;
    let remote = Service::start("serve", &[&kept[..], &["cache.concerts.local_bytes=0"]].concat())?;
    let baseline = Service::start("baseline", &[])?;
    let inside = full.join(1)?;
    full.get("/concert/451/date", &[("waitingToken", &inside)])?;
    for page in 1..=1_000 {
        remote.get(&format!("/concerts/query?page={page}"), &[])?;
    }
    let etag = full.etag("/concerts/query?page=1")?;

    let page = "/concerts/query?page=1";
    let targets = [
        Target::new(BASELINE, &baseline, "/constant", None),
        Target::new("page, 200", &full, page, None),
        Target::new("page, 304", &full, page, Some(("If-None-Match", &etag))),
        Target::paging("a thousand pages", &full, 1_000),
        Target::new(
            "dates, active session",
            &full,
            "/concert/451/date",
            Some(("waitingToken", &inside)),
        ),
        Target::new("page from Redis", &remote, page, None),
        Target::paging("a thousand pages from Redis", &remote, 1_000),
    ];
    let mut results = Results::new(arguments.measure);
    results.measure(&targets, &out)?;
    save(&results.markdown("Each level of the cache, against a constant answer", WHAT), &out)?;
    results.check_clean()
}
