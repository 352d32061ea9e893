#![doc = include_str!("../README.md")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the person who started it"
)]

mod bench;
mod check;
mod docs;
mod error;
mod layers;
mod run;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Outcome;

/// Tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, clippy, layers, documentation
    Check,
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
}

fn main() -> ExitCode {
    let done: Outcome = match CommandLine::parse().task {
        Task::Check => check::check(),
        Task::Layers { bless } => layers::layers(bless),
        Task::Test => test::test(),
        Task::Docs => docs::docs(),
        Task::Bench(arguments) => bench::bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
