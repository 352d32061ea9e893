//! The command line.

mod cache;
mod database;
mod diagnostics;
mod migrate;
mod seed;
mod serve;
mod show_config;
mod token;
mod yardstick;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

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

/// Understood before and after the command's name. Not by clap's `global`, which forgets what came before when there is
/// more after.
#[derive(Args)]
struct SourceFlags {
    /// The configuration file; without it `boxoffice.toml` beside the program, if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, such as `--set queue.policy.batch=50`; wins over file and environment
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SourceFlags {
    /// These, and then those.
    fn and(mut self, later: Self) -> Self {
        self.set.extend(later.set);
        Self { config: later.config.or(self.config), set: self.set }
    }

    fn sources(self) -> Sources {
        Sources { file: self.config, overrides: self.set }
    }
}

/// What stands after a command's name.
#[derive(Args)]
struct After<A: Args> {
    #[command(flatten)]
    sources: SourceFlags,
    #[command(flatten)]
    arguments: A,
}

/// No arguments.
#[derive(Args)]
struct Nothing {}

#[derive(Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve(After<Nothing>),
    /// Print the effective configuration, secrets masked
    Config(After<show_config::Arguments>),
    /// Bring the database's schema up to what this program needs
    Migrate(After<migrate::Arguments>),
    /// Fill the database with sample concerts
    Seed(After<seed::Arguments>),
    /// Work with the copies of answers that all nodes share
    #[command(subcommand)]
    Cache(cache::Command),
    /// Write everything that helps to find out what is wrong with a running node to one file
    Diagnostics(After<diagnostics::Arguments>),
    /// Work with waiting tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Serve one constant answer, the yardstick of the benchmarks
    #[command(hide = true)]
    Yardstick(After<Nothing>),
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
            let error = without_values(error);
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let before = line.sources;
    match line.command {
        None => with_config(&before.sources(), serve::run),
        Some(Command::Serve(after)) => {
            with_config(&before.and(after.sources).sources(), serve::run)
        }
        Some(Command::Config(after)) => {
            show_config::run(&after.arguments, &before.and(after.sources).sources())
        }
        Some(Command::Migrate(after)) => {
            with_config(&before.and(after.sources).sources(), |config| {
                migrate::run(&after.arguments, config)
            })
        }
        Some(Command::Seed(after)) => with_config(&before.and(after.sources).sources(), |config| {
            seed::run(&after.arguments, config)
        }),
        Some(Command::Cache(cache::Command::Invalidate(after))) => {
            with_config(&before.and(after.sources).sources(), |config| {
                cache::run(&after.arguments, config)
            })
        }
        Some(Command::Diagnostics(after)) => {
            with_config(&before.and(after.sources).sources(), |config| {
                diagnostics::run(&after.arguments, config)
            })
        }
        Some(Command::Token(command)) => token::run(command, before),
        Some(Command::Yardstick(after)) => {
            with_config(&before.and(after.sources).sources(), yardstick::run)
        }
    }
}

/// Clap repeats what was typed. A value may be a secret, and a word without its flag may be one too, so of these only names of
/// flags stay.
fn without_values(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg).cloned() else {
        return without_words(error);
    };
    if error.kind() == ErrorKind::ValueValidation {
        let said = format!("the value for '{flag}' cannot be used");
        return clap::Error::raw(ErrorKind::ValueValidation, said)
            .with_cmd(&CommandLine::command());
    }
    if error.kind() == ErrorKind::UnknownArgument && !is_flag(&flag) {
        error.remove(ContextKind::InvalidArg);
    }
    without_words(error)
}

fn without_words(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && !value.is_empty()
    {
        error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
    }
    if error.kind() == ErrorKind::InvalidSubcommand {
        error.remove(ContextKind::InvalidSubcommand);
    }
    for suggestion in [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedCommand,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
        ContextKind::Suggested,
        ContextKind::TrailingArg,
    ] {
        error.remove(suggestion);
    }
    error
}

/// Whether this may be a flag that somebody has misspelt.
fn is_flag(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| {
        (1..=20).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
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

fn fail(why: impl Display) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
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
