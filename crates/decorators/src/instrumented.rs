//! Reports each port call to an observer: its duration, its outcome and, in a traced request, a
//! span.
//!
//! Outside the timeout, so that it measures the same calls as the circuit breaker. It covers every
//! method, the heartbeat included.

mod cache;
mod checkpoint;
mod concert;
mod queue;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use domain::{PortError, PortErrorKind};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field};

use crate::failure::PortFailure;

/// Spans with this target form the trace; others are for logs.
const TRACE: &str = "boxoffice::trace";

/// A finished call. Cancelled calls are not reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallOutcome {
    /// The operation, such as `join`.
    pub operation: &'static str,
    /// From the call to its result.
    pub took: Duration,
    /// The dependency failure, if any. A business refusal is not a failure.
    pub failure: Option<PortErrorKind>,
}

/// The label of a failure in metrics and traces.
#[must_use]
pub fn word(kind: PortErrorKind) -> &'static str {
    match kind {
        PortErrorKind::Unavailable => "unavailable",
        PortErrorKind::Overloaded => "overloaded",
        PortErrorKind::Refused => "refused",
        PortErrorKind::Timeout => "timeout",
        PortErrorKind::Corrupt => "corrupt",
        PortErrorKind::NotReady => "not_ready",
    }
}

/// Observes calls on the caller's thread, so it must not block.
pub trait Observer: Send + Sync {
    /// The system behind the port: `postgresql`, `redis` or `memory`.
    fn system(&self) -> &'static str;

    /// Reports a finished call.
    fn observe(&self, outcome: &CallOutcome);
}

/// A port and the observer of its calls. The submodules name the operations of each port.
pub struct Instrumented<P: ?Sized> {
    inner: Arc<P>,
    observer: Arc<dyn Observer>,
}

/// A port that can be observed.
pub trait Observable: Send + Sync {
    /// Wraps the port so that `observer` sees its calls.
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self>;
}

impl<P: ?Sized> Instrumented<P> {
    async fn watch<T, E: PortFailure>(
        &self,
        operation: &'static str,
        port_call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        // Most requests are not traced, and creating a span that nothing records still costs time.
        let followed = (!Span::current().is_none()).then(|| self.span(operation));
        let answer = match &followed {
            None => port_call.await,
            Some(span) => port_call.instrument(span.clone()).await,
        };
        let failure = answer.as_ref().err().and_then(PortFailure::failure).map(PortError::kind);
        if let (Some(span), Some(kind)) = (&followed, failure) {
            span.record("error.type", word(kind)).record("otel.status_code", "ERROR");
        }
        self.observer.observe(&CallOutcome { operation, took: began.elapsed(), failure });
        answer
    }

    fn span(&self, operation: &'static str) -> Span {
        let system = self.observer.system();
        tracing::info_span!(
            target: TRACE,
            "port",
            otel.name = format!("{operation} {system}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            db.system.name = system,
            db.operation.name = operation,
            error.type = field::Empty,
        )
    }
}
