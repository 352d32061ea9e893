#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    reason = "the tasks of a command-line program print their progress and results"
)]

pub mod cluster;
pub mod resilience;
