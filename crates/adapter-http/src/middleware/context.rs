//! The parts of a request that its response needs.

use std::rc::Rc;

use actix_web::Error;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::Span;

use super::request_id::{self, RequestId};
use super::{RequestMiddleware, log};
use crate::language::Language;
use crate::lifecycle::Phase;
use crate::observer::{RequestEnd, RequestStart, TraceContext};
use crate::problem::{Problem, ProblemResponse, codes_of};
use crate::route::Route;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The context of one request in the middleware.
#[derive(Clone)]
pub(super) struct RequestContext {
    middleware: Rc<RequestMiddleware>,
    pub(super) request_id: HeaderValue,
    accept_language: Option<HeaderValue>,
    pub(super) closes: bool,
    /// When the head was read, or the body if there is one.
    pub(super) began: Instant,
    method: &'static str,
    route: Option<Route>,
    followed: TraceContext,
}

impl RequestContext {
    pub(super) fn new(middleware: &Rc<RequestMiddleware>, request: &ServiceRequest) -> Self {
        let RequestId { reported, id } = request_id::of(request);
        let headers = request.headers();
        let (method, route) = (word(request.method()), Route::of(request.path()));
        let followed = match &middleware.watch.observer {
            None => TraceContext { span: Span::none(), trace_id: id },
            Some(observer) => {
                let traceparent = headers.get(TRACEPARENT).and_then(|text| text.to_str().ok());
                observer.request_started(&RequestStart { id, traceparent, method, route })
            }
        };
        Self {
            middleware: Rc::clone(middleware),
            request_id: reported,
            accept_language: headers.get(ACCEPT_LANGUAGE).cloned(),
            closes: middleware.lifecycle.phase() == Phase::Draining,
            began: Instant::now(),
            method,
            route,
            followed,
        }
    }

    /// The span the request is handled in.
    pub(super) fn span(&self) -> &Span {
        &self.followed.span
    }

    /// Ends a request that the middleware refuses.
    pub(super) fn refuse(&self, problem: Problem) -> Error {
        self.rendered(problem).into()
    }

    /// Ends a request with this problem.
    pub(super) fn rendered(&self, problem: Problem) -> ProblemResponse {
        let answer = problem.answer();
        debug_assert!(
            self.route.is_none_or(|route| codes_of(Some(route)).any(|code| code == answer.code)),
            "the description of the API does not say that {:?} answers with {}",
            self.route,
            answer.code
        );
        self.ended(Some(&problem), answer.status.as_u16(), Some(answer.code));
        let language = Language::of(self.accept_language.as_ref());
        ProblemResponse {
            problem,
            answer,
            language,
            request_id: self.request_id.clone(),
            closes: self.closes,
        }
    }

    /// Ends a request that succeeded.
    pub(super) fn answered(&self, status: u16) {
        self.ended(None, status, None);
    }

    fn ended(&self, problem: Option<&Problem>, status: u16, code: Option<&'static str>) {
        let watch = &self.middleware.watch;
        let ended = RequestEnd {
            method: self.method,
            route: self.route,
            status,
            code,
            failure: problem.and_then(Problem::failure),
            took: self.began.elapsed(),
            request_id: str::from_utf8(self.request_id.as_bytes()).unwrap_or_default(),
            followed: &self.followed,
        };
        log::request(problem, &ended, watch.log_sample);
        if problem.is_some_and(log::is_failure) {
            watch.failures.keep(&ended);
        }
        if let Some(observer) = &watch.observer {
            observer.ended(&ended);
        }
    }
}

/// The methods of RFC 9110 and PATCH. Clients can send any other method, so those share one label.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}
