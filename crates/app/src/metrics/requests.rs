//! Requests to the public listener: their durations and their spans.

use adapter_http::{RequestEnd, RequestObserver, RequestStart, Route, TraceContext};
use telemetry::RequestSpans;
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::requests::DURATION;

use super::lazy_series::Keyed;

/// The labels that distinguish requests.
type Key = (&'static str, Option<Route>, u16, Option<&'static str>);

/// Records requests.
pub(crate) struct Requests {
    durations: Keyed<Key>,
    spans: RequestSpans,
}

impl Requests {
    pub(crate) fn new(meters: &Meters, spans: RequestSpans) -> Self {
        Self { durations: Keyed::new(meters.histogram(&DURATION)), spans }
    }
}

impl RequestObserver for Requests {
    fn request_started(&self, request: &RequestStart<'_>) -> TraceContext {
        let (span, trace_id) = self.spans.begin(
            request.id,
            request.traceparent,
            request.method,
            request.route.map(Route::template),
        );
        TraceContext { span, trace_id }
    }

    fn ended(&self, request: &RequestEnd<'_>) {
        let key = (request.method, request.route, request.status, request.code);
        self.durations.record(key, request.took.as_secs_f64(), |(method, route, status, code)| {
            let route = route.map_or("", Route::template);
            [method, route, &status.to_string(), code.unwrap_or_default(), "http"]
                .map(str::to_owned)
        });
        self.spans.finish(&request.followed.span, request.status, request.code);
    }
}
