//! Settings: which telemetry is produced, and where it goes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::TelemetryError;

/// Which telemetry is produced, and where it goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Log filter, such as `info` or `warn,boxoffice=debug`.
    pub log_filter: String,
    /// Format of log lines.
    pub log_format: LogFormat,
    /// Whether metrics are recorded.
    pub metrics: bool,
    /// Which requests are traced, if traces are exported.
    pub traces: Sampling,
    /// Resource attributes added to all telemetry. They may override `service.name`,
    /// `service.version` and `service.instance.id`.
    pub resource: Vec<(String, String)>,
    /// The collector that telemetry is sent to.
    pub otlp: Option<Otlp>,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines, one object per line.
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

/// Which requests are traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The share of requests, from 0 to 1.
    pub share: f64,
    /// Whether callers decide for their requests (W3C Trace Context). Enable it only behind a
    /// gateway that strips the header from outside requests: otherwise any client could have all of
    /// its requests traced.
    pub trust_callers: bool,
}

/// A collector reached over HTTP.
#[derive(Clone)]
pub struct Otlp {
    /// Its base address, such as `http://collector:4318`.
    pub endpoint: String,
    /// The encoding.
    pub protocol: Protocol,
    /// Timeout of one export.
    pub timeout: Duration,
    /// Additional headers; their values are secrets.
    pub headers: Vec<(String, String)>,
    /// How often metrics are sent.
    pub metrics_every: Duration,
    /// Maximum number of spans, and of log records, that wait to be sent; further ones are dropped.
    pub queue: usize,
    /// Whether metrics are sent.
    pub metrics: bool,
    /// Whether traces are sent.
    pub traces: bool,
    /// Whether logs are sent.
    pub logs: bool,
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// The encoding of exports. gRPC is not supported: docs/adr/0019 gives the reasons.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// `http/protobuf`
    HttpProtobuf,
    /// `http/json`
    HttpJson,
}

impl FromStr for Protocol {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "http/protobuf" => Ok(Self::HttpProtobuf),
            "http/json" => Ok(Self::HttpJson),
            _ => Err(TelemetryError::UnknownProtocol),
        }
    }
}
