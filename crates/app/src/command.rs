//! The command line.

mod baseline;
mod cache;
mod database;
mod diagnostics;
mod health;
mod import;
mod migrate;
mod node;
mod seed;
mod serve;
mod show_config;
mod token;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::{self, Config, ConfigError, Loaded, Sources};

/// A concert on-sale service: a virtual queue, the concert list, and the dates that still have
/// seats.
#[derive(Parser)]
#[command(name = "boxoffice", version = VERSION)]
struct CommandLine {
    #[command(flatten)]
    sources: SourceFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Accepted before and after the subcommand. Clap's `global` would drop the values before it if
/// more follow.
#[derive(Args)]
struct SourceFlags {
    /// The configuration file; by default `boxoffice.toml` beside the program, if it exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets one key, such as `--set queue.policy.batch=50`; overrides file and environment
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SourceFlags {
    /// Appends the later flags, which win.
    fn and(mut self, later: Self) -> Self {
        self.set.extend(later.set);
        Self { config: later.config.or(self.config), set: self.set }
    }

    fn sources(self) -> Sources {
        Sources { file: self.config, overrides: self.set }
    }
}

/// The flags and arguments after the subcommand's name.
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
    /// Migrate the database to the schema this program needs
    Migrate(After<migrate::Arguments>),
    /// Fill the database with sample concerts
    Seed(After<seed::Arguments>),
    /// Add concerts and their dates from a file, and update existing ones, all or nothing
    Import(After<import::Arguments>),
    /// Manage the cached responses that all nodes share
    #[command(subcommand)]
    Cache(cache::Command),
    /// Collect everything needed to diagnose a running node in one file
    Diagnostics(After<diagnostics::Arguments>),
    /// Ask a running node whether it accepts traffic: exit code 0 if it does
    Health(After<health::Arguments>),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Work with waiting tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Serve one constant response, the baseline of the benchmarks
    #[command(hide = true)]
    Baseline(After<Nothing>),
}

/// The version, and the commit if it is known.
const VERSION: &str = env!("BOXOFFICE_VERSION");

/// The exit code for a wrong command line or configuration.
const USAGE: u8 = 2;

/// Runs the command with these arguments, of which the first is the program's name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        // Clap prints help and its own errors to the right stream.
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
        Some(Command::Import(after)) => {
            with_config(&before.and(after.sources).sources(), |config| {
                import::run(&after.arguments, config)
            })
        }
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
        Some(Command::Health(after)) => {
            with_config(&before.and(after.sources).sources(), |config| {
                health::run(&after.arguments, config)
            })
        }
        Some(Command::Openapi) => print(adapter_http::openapi_json()),
        Some(Command::Token(command)) => token::run(command, before),
        Some(Command::Baseline(after)) => {
            with_config(&before.and(after.sources).sources(), baseline::run)
        }
    }
}

/// Clap's errors repeat the arguments. A value, or a word without its flag, may be a secret, so
/// this removes everything except flag names.
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

/// Whether the text may be a misspelt flag.
fn is_flag(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| {
        (1..=20).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

/// Runs `then` with the configuration, or prints the one-line configuration error.
fn with_config(sources: &Sources, then: impl FnOnce(&Config) -> ExitCode) -> ExitCode {
    match config::load(sources) {
        Ok(Loaded { config, old_keys }) => {
            old_keys.iter().for_each(complain);
            then(&config)
        }
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

/// Prints one line to standard error. A failure to do so cannot be reported anywhere.
fn complain(what: impl Display) {
    let _ = writeln!(io::stderr(), "boxoffice: {what}");
}

/// Prints to standard output. A closed reader (`boxoffice config | head`) is not a failure.
fn print(text: impl Display) -> ExitCode {
    match write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(format_args!("cannot write: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
