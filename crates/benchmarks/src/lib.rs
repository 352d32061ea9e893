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
mod dates_program;
pub mod environment;
pub mod load;
pub mod loadtest;
mod plans;
mod plot;
mod process;
mod report;
mod stats;

pub use database::Filled;
pub use plans::plans;
pub use report::report;
