//! What can be wrong with telemetry.

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a format.
    #[error("must be \"auto\", \"text\" or \"json\"")]
    UnknownFormat,
    /// Not a protocol.
    #[error("must be \"http/protobuf\" or \"http/json\"")]
    UnknownProtocol,
    /// Not a filter such as `info` or `warn,boxoffice=debug`.
    #[error("is no log filter such as \"info\" or \"warn,boxoffice=debug\"")]
    BadFilter,
    /// Something else in this process logs already.
    #[error("logging is set up already")]
    AlreadySet,
    /// The metrics cannot be set up.
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
    /// The collector's address or headers are none.
    #[error("telemetry cannot be sent to a collector: {0}")]
    Collector(String),
}
