//! Who watches the public requests: what is measured, followed and logged of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use crate::failures::Failures;
use crate::problem::Failure;
use crate::route::Route;

/// A request that has come.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// 128 bits of its own, random enough for a trace.
    pub id: u128,
    /// The trace its caller says it belongs to (W3C Trace Context), unread.
    pub traceparent: Option<&'a str>,
    /// Its method; `_OTHER` for one nobody knows.
    pub method: &'static str,
    /// Its route, if it has one.
    pub route: Option<Route>,
}

/// How a request is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What its work is done in; [`Span::none`] for one whose trace is not kept.
    pub span: Span,
    /// The trace it belongs to, kept or not.
    pub trace_id: u128,
}

/// A request that was answered. One whose caller went away before is not heard of.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Its method; `_OTHER` for one nobody knows.
    pub method: &'static str,
    /// Its route, if it has one.
    pub route: Option<Route>,
    /// The status of the answer.
    pub status: u16,
    /// The code of the problem it was answered with; nothing where there was none.
    pub code: Option<&'static str>,
    /// What failed behind it.
    pub failure: Option<&'a Failure>,
    /// From the end of the request to the head of the answer; nothing for one whose body did not
    /// come whole.
    pub took: Duration,
    /// The id the caller was given.
    pub request_id: &'a str,
    /// How it was followed.
    pub followed: &'a Followed,
}

/// Hears of every public request, on the thread that serves it: it must not wait.
pub trait RequestObserver: Send + Sync {
    /// A request has come: how is it followed?
    fn begun(&self, request: &Begun<'_>) -> Followed;

    /// It was answered.
    fn ended(&self, request: &Ended<'_>);
}

/// Who hears of requests, and how many get a line in the log without need.
#[derive(Clone, Default)]
pub struct Watch {
    /// Who hears of them.
    pub observer: Option<Arc<dyn RequestObserver>>,
    /// Where the last failures are kept.
    pub failures: Failures,
    /// The share of requests that get a line although nothing failed, from 0 to 1.
    pub log_sample: f64,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}
