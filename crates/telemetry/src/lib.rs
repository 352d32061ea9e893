#![doc = include_str!("../README.md")]

pub mod metrics;
mod process;
mod start;

pub use start::{Settings, Telemetry};

use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(TelemetryError::UnknownFormat),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a format.
    #[error("must be \"auto\", \"text\" or \"json\"")]
    UnknownFormat,
    /// Not a filter such as `info` or `warn,boxoffice=debug`.
    #[error("is no log filter such as \"info\" or \"warn,boxoffice=debug\"")]
    BadFilter,
    /// Something else in this process logs already.
    #[error("logging is set up already")]
    AlreadySet,
    /// The metrics cannot be set up.
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
}

/// Checks a filter without using it.
///
/// # Errors
/// [`TelemetryError::BadFilter`].
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    EnvFilter::try_new(filter).map(drop).map_err(|_| TelemetryError::BadFilter)
}

/// Starts logging to standard error for the whole process. Called once, by the program, never by a library.
///
/// # Errors
/// [`TelemetryError`] when the filter is wrong or logging is set up already.
pub fn start_logging(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(|_| TelemetryError::BadFilter)?;
    let is_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let is_json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let set = if is_json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_ansi(is_terminal).try_init()
    };
    set.map_err(|_| TelemetryError::AlreadySet)
}
