//! The public route table.

use actix_web::web::{self, ServiceConfig};

use crate::problem::Problem;
use crate::{concert, queue, schedule};

/// What every public path begins with.
pub(crate) const API: &str = "/api/v1";
/// The concert list, below [`API`].
pub(crate) const CONCERTS: &str = "/concerts/query";

/// Every public route. The method a path does not answer is told which ones it does.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let scope = web::scope(API)
        .service(
            web::resource("/user/queue/token/query")
                .route(web::get().to(queue::query))
                .route(web::head().to(queue::query))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD")))),
        )
        .service(
            web::resource(CONCERTS)
                .route(web::get().to(concert::list))
                .route(web::head().to(concert::list))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD")))),
        )
        .service(
            web::resource("/user/{userId}/queue/token/issue")
                .route(web::post().to(queue::issue))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("POST")))),
        )
        .service(
            web::resource("/concert/{concertId}/date")
                .route(web::get().to(schedule::dates))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET")))),
        )
        .service(
            web::resource("/user/queue/token")
                .route(web::delete().to(queue::leave))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("DELETE")))),
        );
    config.service(scope).default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// A handler's way to say no.
pub(crate) fn refuse(problem: Problem) -> Result<actix_web::HttpResponse, Problem> {
    Err(problem)
}
