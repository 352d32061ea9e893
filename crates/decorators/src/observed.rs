//! A port whose questions are heard of: how long each took and how it ended, and in a request that is followed, a span of its
//! own.
//!
//! Outside the time limit, so that what the circuit breaker sees is what is measured; all methods, the heartbeat too.

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

use crate::guard::PortFailure;

/// Spans of this target are what a trace consists of; others are for logs.
const TRACE: &str = "boxoffice::trace";

/// A question that has ended. One whose asker went away is not heard of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// Which question, such as `join`.
    pub operation: &'static str,
    /// From asking to the answer.
    pub took: Duration,
    /// How it failed, if it did. An answer that people do not like is no failure.
    pub failure: Option<PortErrorKind>,
}

/// A kind of failure as metrics and traces name it.
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

/// Hears of questions, on the thread of whoever asked: it must not wait.
pub trait Observer: Send + Sync {
    /// What is behind the port: `postgresql`, `redis` or `memory`.
    fn system(&self) -> &'static str;

    /// A question has ended.
    fn asked(&self, asked: &Asked);
}

/// A port and who hears of its questions. The files beside this one name each port's questions.
pub struct Observed<P: ?Sized> {
    inner: Arc<P>,
    observer: Arc<dyn Observer>,
}

/// A port that can be observed.
pub trait Observable: Send + Sync {
    /// The port, heard of by `observer`.
    fn observed(self: Arc<Self>, observer: Arc<dyn Observer>) -> Arc<Self>;
}

impl<P: ?Sized> Observed<P> {
    async fn watch<T, E: PortFailure>(
        &self,
        operation: &'static str,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        // Most requests are not followed, and a span that nobody keeps would still be made.
        let followed = (!Span::current().is_none()).then(|| self.span(operation));
        let answer = match &followed {
            None => question.await,
            Some(span) => question.instrument(span.clone()).await,
        };
        let failure = answer.as_ref().err().and_then(PortFailure::failure).map(PortError::kind);
        if let (Some(span), Some(kind)) = (&followed, failure) {
            span.record("error.type", word(kind)).record("otel.status_code", "ERROR");
        }
        self.observer.asked(&Asked { operation, took: began.elapsed(), failure });
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
