//! An OpenTelemetry collector that tests can look into.

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

/// Takes what is sent by OTLP over HTTP/1.1, as protobuf or JSON and not compressed, on a free loopback port. Of each of
/// spans, logs and points of metrics it keeps the latest 20,000. When it is dropped nobody listens there any more, and its
/// connections are ended, those that wait for an answer too.
pub struct Collector {
    server: Server,
    received: Arc<Received>,
}

impl Collector {
    /// Keeps what it is sent and says so.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn answering() -> Outcome<Self> {
        Self::start(Manner::Answers)
    }

    /// Says 503 to all, and keeps nothing but how it was asked.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn failing() -> Outcome<Self> {
        Self::start(Manner::Fails)
    }

    /// Accepts connections, reads requests and never answers. It keeps nothing but how it was asked.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn hanging() -> Outcome<Self> {
        Self::start(Manner::Hangs)
    }

    fn start(manner: Manner) -> Outcome<Self> {
        let received = Arc::new(Received::default());
        let server = Server::start(manner, Arc::clone(&received))?;
        Ok(Self { server, received })
    }

    /// Where it listens, such as `http://127.0.0.1:4318`; `/v1/traces`, `/v1/logs` and `/v1/metrics` are below.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// How many requests it has read whole, whatever it made of them. What a request brought is there when it is counted.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.received.state().requests
    }

    /// The headers of the last request, by their names in lower case.
    #[must_use]
    pub fn headers(&self) -> Attributes {
        self.received.state().headers.clone()
    }

    /// The spans it was sent, in the order they came.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.received.state().spans.iter().cloned().collect()
    }

    /// The logs it was sent, in the order they came.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.received.state().logs.iter().cloned().collect()
    }

    /// The points of metrics it was sent, in the order they came: a series has one for each time it was sent.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.received.state().metrics.iter().cloned().collect()
    }

    /// The names of the metrics it was sent.
    #[must_use]
    pub fn metric_names(&self) -> BTreeSet<String> {
        self.received.state().metrics.iter().map(|metric| metric.name.clone()).collect()
    }

    /// Waits until this is so, for that long at most: whether it is.
    #[must_use]
    pub fn wait_until(&self, limit: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        self.received.wait_until(limit, || is_so(self))
    }
}
