//! Runs the dates query through the adapter repeatedly; `cargo xtask bench-dates` compares it with
//! pgbench.
//!
//! `dates statement` prints the statement; `dates URL ASKERS SECONDS CONCERTS` reads the dates of
//! random concerts from this many concurrent tasks, each of which repeats as soon as it has its
//! result.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark run by hand"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_memory::SystemClock;
use adapter_postgres::{
    PoolSettings, Postgres, PostgresAddress, PostgresCatalog, SessionLimits, open_dates_statement,
};
use domain::Clock as _;
use domain::concert::ConcertId;
use domain::schedule::ScheduleBook as _;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["statement"] => println!("{}", open_dates_statement()),
        [url, askers, seconds, concerts] => {
            let number = |text: &str| text.parse().unwrap();
            // One background thread for the pool, as in the program, and this thread for the
            // callers.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(measure(url, number(askers), number(seconds), number(concerts)));
        }
        _ => {
            eprintln!("dates statement | dates URL ASKERS SECONDS CONCERTS");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn measure(url: &str, askers: u64, seconds: u64, concerts: u64) {
    let long = Duration::from_secs(60);
    let limits =
        SessionLimits { connect: long, statement: long, lock: long, idle_in_transaction: long };
    let pool = PoolSettings {
        size: 10,
        min_idle: 10,
        acquire: long,
        max_waiting: 10_000,
        idle: long,
        lifetime: long * 60,
    };
    let postgres = Postgres::open(PostgresAddress::parse(url).unwrap(), limits, &pool).unwrap();
    let catalog = Arc::new(PostgresCatalog::new(postgres));
    // Warm-up: open connections, prepare statements, load pages into memory.
    query_until(&catalog, Instant::now() + Duration::from_secs(1), concerts, 0).await;
    let (began, end) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let asking = (0..askers).map(|asker| query_until(&catalog, end, concerts, asker));
    let mut times: Vec<Duration> = futures_util::future::join_all(asking).await.concat();
    let per_second = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap();
    let at = |share: usize| times[times.len() * share / 1_000].as_micros();
    println!(
        "askers {askers} questions {} per second {per_second:.0} mean {:.1} us p50 {} us p95 {} us p99 {} us",
        times.len(),
        mean.as_secs_f64() * 1e6,
        at(500),
        at(950),
        at(990)
    );
}

/// Runs one query after another and returns how long each took.
async fn query_until(
    catalog: &PostgresCatalog,
    end: Instant,
    concerts: u64,
    seed: u64,
) -> Vec<Duration> {
    let now = SystemClock.now();
    let mut random = seed;
    let mut times = Vec::new();
    while Instant::now() < end {
        // A linear congruential generator with Knuth's constants (MMIX), sufficient to pick
        // concerts.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let concert = ConcertId::new(1 + (random >> 33) % concerts).unwrap();
        let requested = Instant::now();
        assert!(catalog.open_dates(concert, now).await.unwrap().is_some());
        times.push(requested.elapsed());
    }
    times
}
