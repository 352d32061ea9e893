//! The operations listener: is it alive, has it started, may it get traffic?

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::lifecycle::{Lifecycle, Phase};
use crate::problem::Problem;
use crate::queue::NO_STORE;
use crate::routes::refuse;

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
}

/// Every operations route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let on_read = |path| {
        web::resource(path).default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD"))))
    };
    config.service(on_read("/livez").route(web::get().to(livez)).route(web::head().to(livez)));
    config.service(on_read("/startupz").route(web::get().to(startupz)).route(web::head().to(startupz)));
    config.service(on_read("/readyz").route(web::get().to(readyz)).route(web::head().to(readyz)));
    config.default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// The event loop turns; nothing else is looked at, so that a failing dependency restarts nobody.
async fn livez() -> HttpResponse {
    answer(true, "live")
}

/// Configuration, stores and listeners are set up.
async fn startupz(lifecycle: Data<Lifecycle>) -> HttpResponse {
    match lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving | Phase::Draining => answer(true, "started"),
    }
}

/// This process wants traffic.
async fn readyz(lifecycle: Data<Lifecycle>) -> HttpResponse {
    match lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving => answer(true, "ready"),
        Phase::Draining => answer(false, "draining"),
    }
}

fn answer(good: bool, status: &'static str) -> HttpResponse {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponseBuilder::new(code).insert_header((CACHE_CONTROL, NO_STORE)).json(HealthBody { status })
}
