//! The public route table.

use std::future::ready;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Responder};

use crate::problem::Problem;
use crate::route::Route;
use crate::{concert, queue, schedule};

/// Methods that a path answers, and how the others are told of them.
#[derive(Clone, Copy)]
struct Methods {
    answered: &'static [Method],
    allow: &'static str,
}

const READ: Methods = Methods { answered: &[Method::GET, Method::HEAD], allow: "GET, HEAD" };
const GET: Methods = Methods { answered: &[Method::GET], allow: "GET" };
const POST: Methods = Methods { answered: &[Method::POST], allow: "POST" };
const DELETE: Methods = Methods { answered: &[Method::DELETE], allow: "DELETE" };

/// Every public route, those asked most first: they are tried in this order.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource(Route::Query, READ, queue::query))
        .service(resource(Route::Concerts, READ, concert::list))
        .service(resource(Route::Issue, POST, queue::issue))
        .service(resource(Route::Dates, GET, schedule::dates))
        .service(resource(Route::Leave, DELETE, queue::leave))
        .default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// What answers on a path. A method it does not answer is told which ones it does.
fn resource<H, A>(route: Route, methods: Methods, handler: H) -> impl HttpServiceFactory + 'static
where
    H: Handler<A>,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    // The guards of actix's own `web::get()` write each method down for an answer that we make ourselves, at three allocations
    // a request.
    let is_answered = move |asked: &GuardContext<'_>| methods.answered.contains(&asked.head().method);
    web::resource(route.template())
        .route(web::route().guard(fn_guard(is_answered)).to(handler))
        .default_service(web::to(move || ready(refuse(Problem::MethodNotAllowed(methods.allow)))))
}

/// A handler's way to say no.
pub(crate) fn refuse(problem: Problem) -> Result<actix_web::HttpResponse, Problem> {
    Err(problem)
}
