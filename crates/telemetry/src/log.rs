//! Logs: non-blocking lines on standard error, and records for a collector.

mod events;
mod writer;

pub(crate) use events::Events;
pub use writer::FlushGuard;
pub(crate) use writer::{Lines, Writer};

use std::io::IsTerminal as _;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::settings::LogFormat;
use crate::{TelemetryError, traces};

/// Target of events about telemetry itself. They go to standard error only: exporting them could
/// cause further events about telemetry.
pub(crate) const OWN: &str = "boxoffice::telemetry";

/// Target under which the HTTP library logs an error for each connection that sends something other
/// than HTTP. Clients can cause any number of them: `adapter-http` counts them and logs the sum. A
/// filter that names `actix_http` still shows them.
const OF_CONNECTIONS: &str = "actix_http::h1::dispatcher";

/// Checks a filter without installing it.
///
/// # Errors
/// [`TelemetryError::BadFilter`].
pub fn check_filter(filter: &str) -> Result<(), TelemetryError> {
    env_filter(filter).map(drop)
}

fn env_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|_| TelemetryError::BadFilter)
}

/// Whether an event reports a client's fault, not the server's. The library logs it as an error; if
/// it counted as one, any client could fill the log with errors and trigger the alert on them.
fn is_of_a_caller(about: &Metadata<'_>) -> bool {
    about.target() == OF_CONNECTIONS && *about.level() <= Level::WARN
}

/// The operator's filter, without the spans of traces and without events that clients can cause at
/// will.
pub(crate) fn wanted<S>(
    filter: &str,
) -> Result<impl Filter<S> + Send + Sync + 'static, TelemetryError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let has_connections = filter.contains("actix_http");
    let of_ours = filter_fn(move |about| {
        about.target() != traces::TARGET && (has_connections || !is_of_a_caller(about))
    });
    // Without its own level hint, this filter would discard the other's, and every event would be
    // evaluated.
    Ok(env_filter(filter)?.and(of_ours.with_max_level_hint(LevelFilter::TRACE)))
}

/// The layer that writes log lines.
pub(crate) fn layer<S>(
    filter: &str,
    format: LogFormat,
    writer: Writer,
) -> Result<impl Layer<S> + Send + Sync + 'static, TelemetryError>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let is_terminal = std::io::stderr().is_terminal();
    let is_json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = fmt::layer().with_writer(writer);
    let lines = if is_json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.with_ansi(is_terminal).boxed()
    };
    Ok(lines.with_filter(wanted(filter)?))
}
