//! `/metrics`: all metrics for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;

use super::Ops;
use crate::problem::Problem;
use crate::standard_headers::NO_STORE;

/// Prometheus's text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders all metrics, on the thread of this listener, which serves no visitors.
pub(super) async fn show(ops: Data<Ops>) -> Result<HttpResponse, Problem> {
    let text = ops.metrics.as_ref().ok_or(Problem::RouteNotFound)?;
    let text = text().map_err(|error| {
        tracing::error!(error = %error, "failed to render metrics");
        Problem::Internal
    })?;
    Ok(HttpResponse::Ok().content_type(TEXT).insert_header((CACHE_CONTROL, NO_STORE)).body(text))
}
