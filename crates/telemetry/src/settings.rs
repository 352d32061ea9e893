//! What is made of telemetry, and where it goes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::TelemetryError;

/// What is made of telemetry, and where it goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is logged, such as `info` or `warn,boxoffice=debug`.
    pub log_filter: String,
    /// How a line looks.
    pub log_format: LogFormat,
    /// Whether anything is measured.
    pub metrics: bool,
    /// Whose traces are kept, if they go anywhere.
    pub traces: Sampling,
    /// What all telemetry says of the process it comes from, besides `service.name`, `service.version` and
    /// `service.instance.id`, which may be said otherwise here.
    pub resource: Vec<(String, String)>,
    /// A collector that everything is sent to.
    pub otlp: Option<Otlp>,
}

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

/// Whose traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The share of requests, from 0 to 1.
    pub share: f64,
    /// Whether callers decide for their requests (W3C Trace Context). Only behind a gateway that strips it from what comes
    /// from outside: anybody could have all of their requests followed.
    pub trust_callers: bool,
}

/// A collector, asked over HTTP.
#[derive(Clone)]
pub struct Otlp {
    /// Its base address, such as `http://collector:4318`.
    pub endpoint: String,
    /// How what is sent is written.
    pub protocol: Protocol,
    /// How long one export may take.
    pub timeout: Duration,
    /// Headers sent along; their values are secrets.
    pub headers: Vec<(String, String)>,
    /// How often metrics are sent.
    pub metrics_every: Duration,
    /// Spans, and log records, that may wait to be sent; the next one is dropped.
    pub queue: usize,
    /// Whether metrics are sent.
    pub metrics: bool,
    /// Whether traces are.
    pub traces: bool,
    /// Whether logs are.
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

/// How what is sent to a collector is written. gRPC is left out: docs/adr/0019 says why.
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
