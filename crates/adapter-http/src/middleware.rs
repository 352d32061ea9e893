//! The middleware around every route: request id, limit per address, size limits, timeout, security
//! headers and problem bodies. It also measures, traces and logs requests.
//!
//! It is one middleware because each one costs the hot path an allocation. Each concern has its own
//! file.

mod context;
mod log;
mod request_id;
mod response_future;
mod size_limits;
mod timers;

use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use decorators::deadline::{Within, within};
use futures_util::future::{Either, LocalBoxFuture};
use tokio::time::{Instant, timeout_at};

pub(crate) use self::context::TRACEPARENT;

use self::context::RequestContext;
use self::response_future::ResponseFuture;
use self::size_limits::BesidesUnread;
use self::timers::Timers;
use crate::lifecycle::Lifecycle;
use crate::overload::LoadShedder;
use crate::problem::Problem;
use crate::request_telemetry::RequestTelemetry;

/// Settings of the middleware.
#[derive(Clone, Debug)]
pub(crate) struct RequestMiddleware {
    /// Maximum size of the request target and headers together, in bytes.
    pub(crate) max_header_bytes: usize,
    /// Maximum size of a body, in bytes.
    pub(crate) max_body_bytes: usize,
    /// How long a client may take to send the body after the head.
    pub(crate) body_timeout: Duration,
    /// How long a request may take after it was read completely.
    pub(crate) request_timeout: Duration,
    /// Responses close their connections while this is draining.
    pub(crate) lifecycle: Lifecycle,
    /// The limit per address; `None` on the operations listener.
    pub(crate) overload: Option<LoadShedder>,
    /// Observer, failure list and log sampling of requests.
    pub(crate) watch: RequestTelemetry,
}

impl<S> Transform<S, ServiceRequest> for RequestMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = RequestMiddlewareService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(RequestMiddlewareService {
            inner: Rc::new(inner),
            middleware: Rc::new(self.clone()),
            timers: Rc::default(),
        }))
    }
}

/// [`RequestMiddleware`] applied to an inner service.
pub(crate) struct RequestMiddlewareService<S> {
    inner: Rc<S>,
    middleware: Rc<RequestMiddleware>,
    timers: Rc<Timers>,
}

impl<S> Service<ServiceRequest> for RequestMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Either<
        ResponseFuture<Within<S::Future>>,
        LocalBoxFuture<'static, Result<Self::Response, Error>>,
    >;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let context = RequestContext::new(&self.middleware, &request);
        if let Some(Err(problem)) =
            self.middleware.overload.as_ref().map(|overload| overload.admit(&request))
        {
            return Either::Right(Box::pin(ready(refuse_unread(request, &context, problem))));
        }
        if size_limits::header_bytes(&request) > self.middleware.max_header_bytes {
            let problem = Problem::HeadersTooLarge(self.middleware.max_header_bytes);
            return Either::Right(Box::pin(ready(refuse_unread(request, &context, problem))));
        }
        if size_limits::has_no_body(&request) {
            let deadline = context.began + self.middleware.request_timeout;
            // `call` may already run part of the handler, so it runs inside the span too.
            let calling = context.span().in_scope(|| self.inner.call(request));
            return Either::Left(ResponseFuture::new(
                within(deadline, calling),
                context,
                deadline,
                &self.timers,
            ));
        }
        Either::Right(Box::pin(self.call_with_body(request, context)))
    }
}

impl<S> RequestMiddlewareService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    /// No route reads a body. A body that is sent anyway is drained, within its size limit and the
    /// client's timeout. The request timeout starts after that: the time a client takes to send a
    /// body is neither measured nor taken from the handler's time.
    fn call_with_body(
        &self,
        mut request: ServiceRequest,
        mut context: RequestContext,
    ) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + use<S> {
        let (inner, timers) = (Rc::clone(&self.inner), Rc::clone(&self.timers));
        let middleware = Rc::clone(&self.middleware);
        async move {
            let drain = size_limits::drain_body(&mut request, middleware.max_body_bytes);
            let drained = timeout_at(context.began + middleware.body_timeout, drain).await;
            context.began = Instant::now();
            if let Err(problem) = drained.unwrap_or(Err(Problem::BodyTimedOut)) {
                // The rest of the body would be parsed as the next request.
                context.closes = true;
                return refuse_unread(request, &context, problem);
            }
            let deadline = context.began + middleware.request_timeout;
            ResponseFuture::new(within(deadline, inner.call(request)), context, deadline, &timers)
                .await
        }
    }
}

/// Refuses a request whose body, if any, was not read completely.
fn refuse_unread(
    mut request: ServiceRequest,
    context: &RequestContext,
    problem: Problem,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if size_limits::has_no_body(&request) {
        return Err(context.refuse(problem));
    }
    let refusal = context.rendered(problem).error_response();
    let unread = request.take_payload();
    Ok(request
        .into_response(refusal.map_body(|_, answer| BesidesUnread::new(answer, unread).boxed())))
}
