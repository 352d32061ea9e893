//! The command line.

mod serve;
mod show_config;
mod token;
mod yardstick;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, ConfigError, Sources};

/// A concert on-sale service: a virtual waiting line, the concert list, and the dates that still have seats.
#[derive(Parser)]
#[command(name = "boxoffice", version)]
struct CommandLine {
    #[command(flatten)]
    sources: SourceFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct SourceFlags {
    /// The configuration file; without it `boxoffice.toml` beside the program, if it is there
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, such as `--set queue.policy.batch=50`; wins over file and environment
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve,
    /// Print the effective configuration, secrets masked
    Config(show_config::Arguments),
    /// Work with waiting tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Serve one constant answer, the yardstick of the benchmarks
    #[command(hide = true)]
    Yardstick,
}

/// The exit code for a wrong command line or configuration.
const USAGE: u8 = 2;

/// Runs the command with these arguments, the first being the program's name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        // Clap prints help and its own errors, each to the right stream.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let sources = Sources { file: line.sources.config, overrides: line.sources.set };
    match line.command {
        Some(Command::Config(arguments)) => show_config::run(&arguments, &sources),
        Some(Command::Token(command)) => token::run(&command, &sources),
        Some(Command::Yardstick) => with_config(&sources, yardstick::run),
        Some(Command::Serve) | None => with_config(&sources, serve::run),
    }
}

/// Goes on with the configuration, or ends with its one-line error.
fn with_config(sources: &Sources, then: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    match config::load(sources) {
        Ok(config) => then(&config),
        Err(error) => fail_usage(&error),
    }
}

fn fail_usage(error: &ConfigError) -> ExitCode {
    complain(error);
    ExitCode::from(USAGE)
}

/// One line on standard error; when even that is closed there is nobody left to tell.
fn complain(what: impl Display) {
    let _ = writeln!(io::stderr(), "boxoffice: {what}");
}

/// Text on standard output. A reader that has gone away (`boxoffice config | head`) is no failure.
fn print(text: impl Display) -> ExitCode {
    match write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("cannot write: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
