//! The way out: the time limit, problems in the caller's language, and the headers every answer has.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use domain::PortErrorKind;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::Caller;
use super::request_id::X_REQUEST_ID;
use crate::language::Language;
use crate::problem::{Failure, Problem, Rendered};

pin_project! {
    /// Runs an inner call to its end or to the time limit, then finishes the answer.
    ///
    /// Most calls are ready when first asked, so the timer is made only for one that is not.
    pub(crate) struct Finish<F> {
        #[pin]
        inner: F,
        #[pin]
        deadline: Option<Sleep>,
        limit: Duration,
        caller: Caller,
    }
}

impl<F> Finish<F> {
    pub(super) fn new(inner: F, caller: Caller, limit: Duration) -> Self {
        Self { inner, deadline: None, limit, caller }
    }
}

impl<F> Future for Finish<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
{
    type Output = Result<ServiceResponse<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(result) = this.inner.poll(cx) {
            return Poll::Ready(finish(result, this.caller));
        }
        if this.deadline.is_none() {
            this.deadline.set(Some(sleep(*this.limit)));
        }
        match this.deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(this.caller.refuse(Problem::TimedOut))),
            _ => Poll::Pending,
        }
    }
}

fn finish(
    result: Result<ServiceResponse<BoxBody>, Error>,
    caller: &Caller,
) -> Result<ServiceResponse, Error> {
    let mut response = match result {
        Ok(response) => response,
        Err(error) => {
            let problem = problem_of(&error);
            log_if_ours(&problem, &caller.request_id);
            return Err(caller.refuse(problem));
        }
    };
    if let Some(error) = response.response().error() {
        let problem = problem_of(error);
        log_if_ours(&problem, &caller.request_id);
        let language = Language::of(caller.accept_language.as_ref());
        let rendered =
            Rendered { problem, language, request_id: caller.request_id.clone(), closes: caller.closes };
        return Ok(response.into_response(actix_web::ResponseError::error_response(&rendered)));
    }
    dress(response.response_mut().head_mut(), caller.request_id.clone(), caller.closes);
    Ok(response)
}

/// Handlers answer nothing but problems; any other error is a mistake of ours.
fn problem_of(error: &Error) -> Problem {
    error.as_error::<Problem>().cloned().unwrap_or(Problem::Internal)
}

/// What is our fault or a dependency's is logged here, once, with the id the caller was given.
fn log_if_ours(problem: &Problem, request_id: &HeaderValue) {
    let id = request_id.to_str().unwrap_or_default();
    if let Problem::DependencyDown(Failure { dependency, kind, cause, .. }) = problem {
        if is_worth_a_line(*kind) {
            tracing::warn!(request.id = id, dependency, error.kind = %kind, error.cause = cause, "a dependency failed");
        } else {
            tracing::debug!(request.id = id, dependency, error.kind = %kind, error.cause = cause, "a dependency was spared");
        }
    } else if matches!(problem, Problem::Internal) {
        tracing::error!(request.id = id, "a request failed by our own mistake");
    }
}

/// Where many are refused so that a dependency recovers, a line for each would be more work than the refusal.
fn is_worth_a_line(kind: PortErrorKind) -> bool {
    match kind {
        PortErrorKind::Unavailable | PortErrorKind::Timeout | PortErrorKind::Corrupt => true,
        PortErrorKind::Overloaded | PortErrorKind::Refused => false,
    }
}

/// Puts on the headers that every answer has. An API needs no scripts, frames or referrers (OWASP REST security).
pub(crate) fn dress(head: &mut ResponseHead, request_id: HeaderValue, closes: bool) {
    let headers = head.headers_mut();
    headers.insert(X_REQUEST_ID, request_id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if closes {
        head.set_connection_type(actix_web::http::ConnectionType::Close);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Counts the lines an operator would see.
    struct Lines(Arc<AtomicU32>);

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= Level::INFO
        }

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn what_failed_is_a_line_and_what_was_refused_to_spare_somebody_is_none() {
        let failed = |kind| {
            Problem::DependencyDown(Failure { dependency: "store", kind, cause: None, retry_in: None })
        };
        for (problem, expected) in [
            (failed(PortErrorKind::Unavailable), 1),
            (failed(PortErrorKind::Timeout), 1),
            (failed(PortErrorKind::Corrupt), 1),
            (Problem::Internal, 1),
            (failed(PortErrorKind::Refused), 0),
            (failed(PortErrorKind::Overloaded), 0),
            (Problem::Overloaded, 0),
            (Problem::TooManyRequests(Duration::from_secs(1)), 0),
            (Problem::TimedOut, 0),
        ] {
            let lines = Arc::new(AtomicU32::new(0));
            tracing::subscriber::with_default(Lines(Arc::clone(&lines)), || {
                log_if_ours(&problem, &HeaderValue::from_static("id"));
            });
            assert_eq!(lines.load(Ordering::SeqCst), expected, "{problem:?}");
        }
    }
}
