#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person who started it"
)]

mod bench;
mod bench_cache;
mod bench_dates;
mod bench_redis;
mod bench_telemetry;
mod check;
mod cores;
mod deny;
mod docs;
mod figures;
mod history;
mod layers;
mod load;
mod loadtest;
mod mutants;
mod plans;
mod plot;
mod postgres;
mod process;
mod protect;
mod redis;
mod report;
mod run;
mod test;
mod three_nodes;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Licences, sources and known faults of what is depended on
    Deny(deny::Arguments),
    /// Who depends on whom
    Layers {
        /// Take the edges as they are now
        #[arg(long)]
        bless: bool,
    },
    /// Every test
    Test,
    /// Write the pages that are printed from code
    Docs,
    /// Requests per second as ratios to a constant answer
    Bench(bench::Arguments),
    /// Pages and dates from each level of the cache, as ratios to a constant answer
    BenchCache(bench_cache::Arguments),
    /// The dates question in Postgres, against pgbench
    BenchDates(bench_dates::Arguments),
    /// The line in Redis: what joins cost, how fast they are, how much memory people take
    BenchRedis(bench_redis::Arguments),
    /// The status query with telemetry on, against the same with it off
    BenchTelemetry(bench_telemetry::Arguments),
    /// Small changes to the domain's queue: whether a test notices each of them
    Mutants(mutants::Arguments),
    /// Write the plans of the dates question on a million and on ten million seats
    Plans,
    /// Run a private Postgres server until Ctrl-C
    Postgres,
    /// Show what protects the service: a storm, an outage, an overload, a cache that is too small
    Protect(protect::Arguments),
    /// A k6 scenario, on services of its own or on one that runs
    Loadtest(loadtest::Arguments),
    /// Run a private Redis server until Ctrl-C
    Redis(redis::Arguments),
    /// Write the load report from the results that are kept
    Report,
    /// Three nodes behind a proxy, on a Redis cluster, under load and while they are killed
    ThreeNodes(three_nodes::Arguments),
    /// Whether a sale was fair, told from what its clients were told
    Verdict(history::Arguments),
}

fn main() -> ExitCode {
    let done: Outcome = match CommandLine::parse().task {
        Task::Check => check::check(),
        Task::Deny(arguments) => deny::deny(&arguments),
        Task::Layers { bless } => layers::layers(bless),
        Task::Test => test::test(),
        Task::Docs => docs::docs(),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::BenchCache(arguments) => bench_cache::bench_cache(&arguments),
        Task::BenchDates(arguments) => bench_dates::bench_dates(&arguments),
        Task::BenchTelemetry(arguments) => bench_telemetry::bench_telemetry(&arguments),
        Task::BenchRedis(arguments) => bench_redis::bench_redis(&arguments),
        Task::Mutants(arguments) => mutants::mutants(&arguments),
        Task::Plans => plans::plans(),
        Task::Postgres => postgres::postgres(),
        Task::Protect(arguments) => protect::protect(&arguments),
        Task::Loadtest(arguments) => loadtest::loadtest(&arguments),
        Task::Redis(arguments) => redis::redis(&arguments),
        Task::Report => report::report(),
        Task::ThreeNodes(arguments) => three_nodes::three_nodes(&arguments),
        Task::Verdict(arguments) => history::verdict_of(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
