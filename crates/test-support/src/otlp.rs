//! An OpenTelemetry collector whose data tests can read.

mod log;
mod metric;
mod received;
mod server;
mod span;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use log::Log;
pub use metric::Metric;
pub use span::{Span, Status};
pub use values::Attributes;

use crate::error::Outcome;
use received::Received;
use server::{Manner, Server};

/// Accepts OTLP over HTTP/1.1 on a free loopback port, as uncompressed protobuf or JSON. It keeps
/// the latest 20,000 spans, logs and metric points each. Dropping it closes its port and its
/// connections, including those that wait for an answer.
pub struct Collector {
    server: Server,
    received: Arc<Received>,
}

impl Collector {
    /// Starts a collector that stores and acknowledges every export.
    ///
    /// # Errors
    /// If no port can be bound.
    pub fn answering() -> Outcome<Self> {
        Self::start(Manner::Answers)
    }

    /// Starts a collector that answers 503. It stores nothing but request counts and headers.
    ///
    /// # Errors
    /// If no port can be bound.
    pub fn failing() -> Outcome<Self> {
        Self::start(Manner::Fails)
    }

    /// Starts a collector that reads requests and never answers. It stores nothing but request
    /// counts and headers.
    ///
    /// # Errors
    /// If no port can be bound.
    pub fn hanging() -> Outcome<Self> {
        Self::start(Manner::Hangs)
    }

    fn start(manner: Manner) -> Outcome<Self> {
        let received = Arc::new(Received::default());
        let server = Server::start(manner, Arc::clone(&received))?;
        Ok(Self { server, received })
    }

    /// The base URL, such as `http://127.0.0.1:4318`, of `/v1/traces`, `/v1/logs` and
    /// `/v1/metrics`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The number of requests read completely, whatever their result. The data of a counted request
    /// is already stored.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.received.state().requests
    }

    /// The headers of the last request, by lower-case name.
    #[must_use]
    pub fn headers(&self) -> Attributes {
        self.received.state().headers.clone()
    }

    /// The received spans, in order of arrival.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.received.state().spans.iter().cloned().collect()
    }

    /// The received logs, in order of arrival.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.received.state().logs.iter().cloned().collect()
    }

    /// The received metric points, in order of arrival; a series has one per export.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.received.state().metrics.iter().cloned().collect()
    }

    /// The names of the received metrics.
    #[must_use]
    pub fn metric_names(&self) -> BTreeSet<String> {
        self.received.state().metrics.iter().map(|metric| metric.name.clone()).collect()
    }

    /// Waits until the condition holds or the limit has passed; returns whether it holds.
    #[must_use]
    pub fn wait_until(&self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        self.received.wait_until(limit, || is_so(self))
    }
}
