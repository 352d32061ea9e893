//! The public route table.

use actix_web::web::{self, ServiceConfig};

use crate::problem::Problem;
use crate::route::{API, Route};
use crate::{concert, queue, schedule};

/// Every public route. The method a path does not answer is told which ones it does.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let scope = web::scope(API)
        .service(
            web::resource(Route::Query.below_api())
                .route(web::get().to(queue::query))
                .route(web::head().to(queue::query))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD")))),
        )
        .service(
            web::resource(Route::Concerts.below_api())
                .route(web::get().to(concert::list))
                .route(web::head().to(concert::list))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD")))),
        )
        .service(
            web::resource(Route::Issue.below_api())
                .route(web::post().to(queue::issue))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("POST")))),
        )
        .service(
            web::resource(Route::Dates.below_api())
                .route(web::get().to(schedule::dates))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET")))),
        )
        .service(
            web::resource(Route::Leave.below_api())
                .route(web::delete().to(queue::leave))
                .default_service(web::to(async || refuse(Problem::MethodNotAllowed("DELETE")))),
        );
    config.service(scope).default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// A handler's way to say no.
pub(crate) fn refuse(problem: Problem) -> Result<actix_web::HttpResponse, Problem> {
    Err(problem)
}
