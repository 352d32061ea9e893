//! Completes a request: timeout, problems in the caller's language, and standard headers.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderValue;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::context::RequestContext;
use super::timers::{Timer, Timers};
use crate::problem::Problem;
use crate::standard_headers::set_standard_headers;

pin_project! {
    /// Runs an inner call to completion or to its deadline, then finishes the response.
    ///
    /// Most calls are ready on the first poll, so only a pending call takes a timer.
    pub(crate) struct ResponseFuture<F> {
        #[pin]
        inner: F,
        timer: Option<Timer>,
        timers: Rc<Timers>,
        deadline: Instant,
        context: RequestContext,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(
        inner: F,
        context: RequestContext,
        deadline: Instant,
        timers: &Rc<Timers>,
    ) -> Self {
        Self { inner, timer: None, timers: Rc::clone(timers), deadline, context }
    }
}

impl<F> Future for ResponseFuture<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
{
    type Output = Result<ServiceResponse<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = {
            let _inside = this.context.span().enter();
            // A panic ends this request only. The future that panicked is dropped, not polled again.
            catch_unwind(AssertUnwindSafe(|| this.inner.poll(cx)))
        };
        let Ok(polled) = polled else {
            return Poll::Ready(Err(this.context.refuse(Problem::Internal)));
        };
        if let Poll::Ready(result) = polled {
            return Poll::Ready(finish(result, this.context));
        }
        let timer = this.timer.get_or_insert_with(|| Timer::until(*this.deadline, this.timers));
        timer.poll(cx).map(|()| Err(this.context.refuse(Problem::TimedOut)))
    }
}

fn finish(
    result: Result<ServiceResponse<BoxBody>, Error>,
    context: &mut RequestContext,
) -> Result<ServiceResponse, Error> {
    let mut response = result.map_err(|error| context.refuse(problem_of(&error)))?;
    if let Some(error) = response.response().error() {
        let rendered = context.rendered(problem_of(error));
        return Ok(response.into_response(actix_web::ResponseError::error_response(&rendered)));
    }
    context.answered(response.status().as_u16());
    // Moved instead of cloned: the id is not used after this.
    let request_id = mem::replace(&mut context.request_id, TOLD);
    set_standard_headers(response.response_mut().head_mut(), request_id, context.closes);
    Ok(response)
}

/// Handlers return no error but [`Problem`]; any other error is a bug.
fn problem_of(error: &Error) -> Problem {
    error.as_error::<Problem>().cloned().unwrap_or(Problem::Internal)
}

/// Placeholder for an id that was moved into the response.
const TOLD: HeaderValue = HeaderValue::from_static("");
