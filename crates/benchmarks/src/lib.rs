#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    reason = "the tasks of a command-line program print their progress and results"
)]

mod affinity;
pub mod bench;
pub mod bench_cache;
pub mod bench_dates;
pub mod bench_redis;
pub mod bench_telemetry;
mod database;
pub mod environment;
pub mod load;
pub mod loadtest;
mod plot;
mod postgres_benchmark;
mod process;
mod query_plans;
mod report;
mod stats;

pub use database::Filled;
pub use query_plans::plans;
pub use report::report;
