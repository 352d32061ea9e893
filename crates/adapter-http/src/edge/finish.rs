//! The way out: the time limit, problems in the caller's language, and the headers every answer has.

use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::{ResponseHead, ServiceResponse};
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::caller::Caller;
use super::request_id::X_REQUEST_ID;
use super::timers::{Timer, Timers};
use crate::problem::Problem;

pin_project! {
    /// Runs an inner call to its end or to its deadline, then finishes the answer.
    ///
    /// Most calls are ready when first asked, so a timer is taken only for one that is not.
    pub(crate) struct Finish<F> {
        #[pin]
        inner: F,
        timer: Option<Timer>,
        timers: Rc<Timers>,
        deadline: Instant,
        caller: Caller,
    }
}

impl<F> Finish<F> {
    pub(super) fn new(inner: F, caller: Caller, deadline: Instant, timers: &Rc<Timers>) -> Self {
        Self { inner, timer: None, timers: Rc::clone(timers), deadline, caller }
    }
}

impl<F> Future for Finish<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
{
    type Output = Result<ServiceResponse<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = {
            let _inside = this.caller.span().enter();
            this.inner.poll(cx)
        };
        if let Poll::Ready(result) = polled {
            return Poll::Ready(finish(result, this.caller));
        }
        let timer = this.timer.get_or_insert_with(|| Timer::until(*this.deadline, this.timers));
        timer.poll(cx).map(|()| Err(this.caller.refuse(Problem::TimedOut)))
    }
}

fn finish(
    result: Result<ServiceResponse<BoxBody>, Error>,
    caller: &mut Caller,
) -> Result<ServiceResponse, Error> {
    let mut response = result.map_err(|error| caller.refuse(problem_of(&error)))?;
    if let Some(error) = response.response().error() {
        let rendered = caller.rendered(problem_of(error));
        return Ok(response.into_response(actix_web::ResponseError::error_response(&rendered)));
    }
    caller.answered(response.status().as_u16());
    // Taken and not copied: nothing is said of the request after this.
    let request_id = mem::replace(&mut caller.request_id, TOLD);
    dress(response.response_mut().head_mut(), request_id, caller.closes);
    Ok(response)
}

/// Handlers answer nothing but problems; any other error is a mistake of ours.
fn problem_of(error: &Error) -> Problem {
    error.as_error::<Problem>().cloned().unwrap_or(Problem::Internal)
}

/// In the place of an id that the answer has.
const TOLD: HeaderValue = HeaderValue::from_static("");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const NOTHING_ALLOWED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Puts on the headers that every answer has. An API needs no scripts, frames or referrers (OWASP REST security).
pub(crate) fn dress(head: &mut ResponseHead, request_id: HeaderValue, closes: bool) {
    let headers = head.headers_mut();
    headers.insert(X_REQUEST_ID, request_id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ALLOWED);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    if closes {
        head.set_connection_type(actix_web::http::ConnectionType::Close);
    }
}
