//! Errors of the telemetry setup.

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// An unknown log format.
    #[error("must be \"auto\", \"text\" or \"json\"")]
    UnknownFormat,
    /// An unknown protocol.
    #[error("must be \"http/protobuf\" or \"http/json\"")]
    UnknownProtocol,
    /// An invalid filter. A valid one is `info` or `warn,boxoffice=debug`.
    #[error("is not a log filter such as \"info\" or \"warn,boxoffice=debug\"")]
    BadFilter,
    /// Another logger is already installed in this process.
    #[error("logging is already set up")]
    AlreadySet,
    /// The metrics cannot be set up.
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
    /// The collector's address or headers are invalid.
    #[error("telemetry cannot be sent to a collector: {0}")]
    Collector(String),
}
