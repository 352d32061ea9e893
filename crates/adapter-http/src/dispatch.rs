//! Dispatches public requests to their handlers.

use std::rc::Rc;

use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::web::ServiceConfig;
use actix_web::{Error, HttpRequest, HttpResponse};

use crate::api::Api;
use crate::documentation;
use crate::handlers::{concert, queue, schedule};
use crate::problem::Problem;
use crate::route::Route;

/// One service for all public paths. Requests are counted and logged by [`Route`], so they are
/// dispatched by it too.
pub(crate) fn configure(config: &mut ServiceConfig, api: Api) {
    let api = Rc::new(api);
    config.default_service(fn_service(move |request| answer(Rc::clone(&api), request)));
}

async fn answer(api: Rc<Api>, request: ServiceRequest) -> Result<ServiceResponse, Error> {
    let (request, _body) = request.into_parts();
    Ok(match route(&api, &request).await {
        Ok(response) => ServiceResponse::new(request, response),
        Err(problem) => ServiceResponse::from_err(problem, request),
    })
}

async fn route(api: &Api, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let (route, id) = Route::and_id_of(request.path()).ok_or(Problem::RouteNotFound)?;
    if route.is_documentation() && !api.documentation {
        return Err(Problem::RouteNotFound);
    }
    let methods = route.methods();
    if !methods.answered.contains(request.method()) {
        return Err(Problem::MethodNotAllowed(methods.allow));
    }
    match route {
        Route::Issue => queue::issue(api, request, id).await,
        Route::Query => queue::query(api, request).await,
        Route::Leave => queue::leave(api, request).await,
        Route::Concerts => concert::list(api, request).await,
        Route::Dates => schedule::dates(api, request, id).await,
        Route::Description => documentation::description(api).await,
        Route::Docs => documentation::page(api).await,
        Route::DocsFile => documentation::file(api, request, id).await,
    }
}
