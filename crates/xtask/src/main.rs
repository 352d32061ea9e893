#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program prints its results"
)]

mod check;
mod crate_layers;
mod deny;
mod docs;
mod image;
mod import_cycles;
mod mutants;
mod postgres;
mod prose;
mod redis;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use benchmarks::{bench, bench_cache, bench_dates, bench_redis, bench_telemetry, loadtest};
use fault_demos::{cluster, resilience};
use test_support::Outcome;

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, clippy, layers, dependencies, documentation, mutants of changed lines
    Check,
    /// Licences, sources and advisories of dependencies
    Deny(deny::Arguments),
    /// Find modules of a crate that import each other in a cycle
    ImportCycles,
    /// Dependencies between crates, and technology fences
    Layers {
        /// Accept the current edges
        #[arg(long)]
        bless: bool,
    },
    /// Run every test
    Test,
    /// Write the pages that are generated from code
    Docs,
    /// Build the image of the service, and try it in a container
    Image(image::Arguments),
    /// Requests per second as ratios to a constant answer
    Bench(bench::Arguments),
    /// Pages and dates from each level of the cache, as ratios to a constant answer
    BenchCache(bench_cache::Arguments),
    /// The dates query in Postgres, against pgbench
    BenchDates(bench_dates::Arguments),
    /// The queue in Redis: the cost and rate of joins, and the memory for each person
    BenchRedis(bench_redis::Arguments),
    /// The status query with telemetry on, against off
    BenchTelemetry(bench_telemetry::Arguments),
    /// Mutate the domain's queue, and check that a test catches each mutant
    Mutants(mutants::Arguments),
    /// Write the query plans of the dates query with a million and with ten million seats
    Plans,
    /// Run a private Postgres server until Ctrl-C
    Postgres(postgres::Arguments),
    /// Demonstrate resilience: a storm, an outage, an overload, a cache that is too small
    Protect(resilience::Arguments),
    /// Private turns of phrase in comments and Markdown, per 1,000 words
    Prose(prose::Arguments),
    /// Run a k6 scenario on its own services or against a running one
    Loadtest(loadtest::Arguments),
    /// Run a private Redis server until Ctrl-C
    Redis(redis::Arguments),
    /// Write the load report from the saved results
    Report,
    /// Three nodes behind a proxy on a Redis cluster, under load and with failures
    ThreeNodes(cluster::Arguments),
    /// Decide from the recorded answers whether a sale was fair
    Verdict(sale_audit::Arguments),
}

fn main() -> ExitCode {
    let done: Outcome = match CommandLine::parse().task {
        Task::Check => check::check(),
        Task::Deny(arguments) => deny::deny(&arguments),
        Task::ImportCycles => import_cycles::check(),
        Task::Layers { bless } => crate_layers::layers(bless),
        Task::Test => test::test(),
        Task::Docs => docs::docs(),
        Task::Image(arguments) => image::image(&arguments),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::BenchCache(arguments) => bench_cache::bench_cache(&arguments),
        Task::BenchDates(arguments) => bench_dates::bench_dates(&arguments),
        Task::BenchTelemetry(arguments) => bench_telemetry::bench_telemetry(&arguments),
        Task::BenchRedis(arguments) => bench_redis::bench_redis(&arguments),
        Task::Mutants(arguments) => mutants::mutants(&arguments),
        Task::Plans => benchmarks::plans(),
        Task::Postgres(arguments) => postgres::postgres(&arguments),
        Task::Prose(arguments) => prose::prose(&arguments),
        Task::Protect(arguments) => resilience::protect(&arguments),
        Task::Loadtest(arguments) => loadtest::loadtest(&arguments),
        Task::Redis(arguments) => redis::redis(&arguments),
        Task::Report => benchmarks::report(),
        Task::ThreeNodes(arguments) => cluster::three_nodes(&arguments),
        Task::Verdict(arguments) => sale_audit::verdict_of(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
