//! What is reported of a public request, for metrics, traces and logs.

use std::time::Duration;

use tracing::Span;

use crate::problem::Failure;
use crate::route::Route;

/// A request that was received.
#[derive(Clone, Copy, Debug)]
pub struct RequestStart<'a> {
    /// A unique 128-bit id, random enough for a trace id.
    pub id: u128,
    /// The caller's trace context (W3C Trace Context), not parsed.
    pub traceparent: Option<&'a str>,
    /// Its method; `_OTHER` for unknown methods.
    pub method: &'static str,
    /// Its route, if it has one.
    pub route: Option<Route>,
}

/// How a request is traced.
#[derive(Clone, Debug)]
pub struct TraceContext {
    /// The span of its work; [`Span::none`] if its trace is not sampled.
    pub span: Span,
    /// The trace it belongs to, sampled or not.
    pub trace_id: u128,
}

/// A request that was answered. A request whose client disconnects first is not reported.
#[derive(Clone, Copy, Debug)]
pub struct RequestEnd<'a> {
    /// Its method; `_OTHER` for unknown methods.
    pub method: &'static str,
    /// Its route, if it has one.
    pub route: Option<Route>,
    /// The status of the response.
    pub status: u16,
    /// The code of the problem in the response, if any.
    pub code: Option<&'static str>,
    /// The failed dependency, if any.
    pub failure: Option<&'a Failure>,
    /// From the end of the request to the head of the response; zero if the body was not complete.
    pub took: Duration,
    /// The request id sent to the caller.
    pub request_id: &'a str,
    /// How it was traced.
    pub followed: &'a TraceContext,
}

/// Observes every public request on the thread that serves it, so it must not block.
pub trait RequestObserver: Send + Sync {
    /// A request was received; returns how it is traced.
    fn request_started(&self, request: &RequestStart<'_>) -> TraceContext;

    /// It was answered.
    fn ended(&self, request: &RequestEnd<'_>);
}
