//! Traces: which requests are traced, decided before a span is created, and under which id.

use std::cell::Cell;
use std::sync::Arc;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample,
};
use tracing::{Metadata, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{FilterFn, LevelFilter, filter_fn};

use crate::counter::Counter;
use crate::settings::Sampling;

/// Only spans with this target form traces.
pub(crate) const TARGET: &str = "boxoffice::trace";

thread_local! {
    /// The id of the next trace that starts on this thread.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Gives a trace the id of its first request, so that either leads to the other.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().filter(|id| *id != TraceId::INVALID).unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Decides which requests are traced, and starts their traces. Clones share the decision and the
/// counter.
#[derive(Clone, Default)]
pub struct RequestSpans(Option<Arc<Followed>>);

struct Followed {
    sampling: Sampling,
    sampled: Counter,
}

/// Keeps the root spans of traced requests, their descendants, and spans linked to other spans. Any
/// other span is dropped, such as one that a library opens outside a traced request.
#[derive(Clone, Debug)]
pub(crate) struct OnlyRequests;

impl ShouldSample for OnlyRequests {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_below = parent.is_some_and(|parent| parent.span().span_context().is_sampled());
        let is_kept = is_below || NEXT.get().is_some() || !links.is_empty();
        SamplingResult {
            decision: if is_kept {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

/// Selects the spans that form traces.
pub(crate) fn recorded() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let of_a_trace: fn(&Metadata<'_>) -> bool = |about| about.is_span() && about.target() == TARGET;
    filter_fn(of_a_trace).with_max_level_hint(LevelFilter::INFO)
}

impl RequestSpans {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self(Some(Arc::new(Followed { sampling, sampled: Counter::default() })))
    }

    /// Traces no request.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether tracing is enabled.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The number of requests traced so far.
    #[must_use]
    pub fn sampled(&self) -> u64 {
        self.0.as_ref().map_or(0, |followed| followed.sampled.get())
    }

    /// Starts a request with this id and, optionally, the trace its caller belongs to. Returns the
    /// span for its work, which is disabled if the request is not traced, and the id of its trace.
    #[must_use]
    pub fn begin(
        &self,
        id: u128,
        traceparent: Option<&str>,
        method: &'static str,
        route: Option<&'static str>,
    ) -> (Span, u128) {
        let Some(followed) = &self.0 else { return (Span::none(), id) };
        let caller = traceparent.filter(|_| followed.sampling.trust_callers).and_then(parse);
        let (trace_id, is_sampled) = match &caller {
            Some(caller) => {
                (u128::from_be_bytes(caller.trace_id().to_bytes()), caller.is_sampled())
            }
            None => (id, fastrand::f64() < followed.sampling.share),
        };
        if !is_sampled {
            return (Span::none(), trace_id);
        }
        let span = root(id, caller, method, route);
        if !span.is_disabled() {
            followed.sampled.add(1);
        }
        (span, trace_id)
    }

    /// Records the outcome of a request.
    pub fn finish(&self, span: &Span, status: u16, code: Option<&'static str>) {
        if span.is_none() {
            return;
        }
        span.record("http.response.status_code", status);
        if let Some(code) = code {
            span.record("boxoffice.error.code", code);
        }
        // A client error is not an error of the server's span.
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
            match code {
                Some(code) => span.record("error.type", code),
                None => span.record("error.type", field::display(status)),
            };
        }
    }
}

fn root(
    id: u128,
    caller: Option<SpanContext>,
    method: &'static str,
    route: Option<&'static str>,
) -> Span {
    // Required by the semantic conventions.
    let word = if method == "_OTHER" { "HTTP" } else { method };
    let name = route.map_or_else(|| word.to_owned(), |route| format!("{word} {route}"));
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        url.scheme = "http",
        boxoffice.error.code = field::Empty,
        error.type = field::Empty,
    );
    if let Some(caller) = caller {
        // Fails if no layer records spans; then there is nothing to link.
        let _ = span.set_parent(Context::new().with_remote_span_context(caller));
    }
    NEXT.set(Some(TraceId::from(id)));
    // The span's id is assigned on first access.
    drop(span.context());
    NEXT.set(None);
    span
}

/// The only W3C Trace Context header that is read.
struct Traceparent<'a>(&'a str);

impl Extractor for Traceparent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let context = TraceContextPropagator::new()
        .extract_with_context(&Context::new(), &Traceparent(traceparent));
    let caller = context.span().span_context().clone();
    caller.is_valid().then_some(caller)
}
