//! `/failures`: recent failures, with the version, configuration and breaker states that help to
//! diagnose them.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::Ops;
use super::resilience::breaker_states;
use crate::recent_failures::FailureRecord;
use crate::route::Route;
use crate::standard_headers::NO_STORE;
use crate::time::rfc3339;

/// The most recent failed requests, and what helps to diagnose them.
#[derive(Serialize, ToSchema)]
#[schema(as = Failures)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailuresBody<'a> {
    /// The version of the program.
    version: &'a str,
    /// Hash of its configuration.
    config_hash: &'a str,
    /// The state of each circuit breaker.
    breakers: BTreeMap<&'static str, &'static str>,
    /// Since the start; only the most recent are listed, newest first.
    total: u64,
    failures: Vec<FailedBody<'a>>,
}

/// A failed request.
#[derive(Serialize, ToSchema)]
#[schema(as = FailedRequest)]
#[serde(rename_all = "camelCase")]
struct FailedBody<'a> {
    /// When it ended, in UTC.
    #[schema(format = DateTime)]
    at: String,
    /// 32 hexadecimal digits.
    trace_id: String,
    /// As in the header `X-Request-Id` of its response.
    request_id: &'a str,
    method: &'a str,
    /// The template of its path; null for a path without a route.
    #[schema(required = true)]
    route: Option<&'a str>,
    status: u16,
    /// The code of the problem.
    #[schema(required = true)]
    code: Option<&'a str>,
    /// Milliseconds.
    took_ms: f64,
    /// The dependency that failed; null if none did.
    #[schema(required = true)]
    dependency: Option<&'a str>,
    /// The kind of its failure.
    #[schema(required = true)]
    problem: Option<String>,
    /// The dependency's error message.
    #[schema(required = true)]
    cause: Option<&'a str>,
}

impl<'a> From<&'a FailureRecord> for FailedBody<'a> {
    fn from(failed: &'a FailureRecord) -> Self {
        let failure = failed.failure.as_ref();
        Self {
            at: rfc3339(failed.at),
            trace_id: format!("{:032x}", failed.trace_id),
            request_id: &failed.request_id,
            method: failed.method,
            route: failed.route.map(Route::template),
            status: failed.status,
            code: failed.code,
            took_ms: failed.took.as_secs_f64() * 1e3,
            dependency: failure.map(|failure| failure.dependency.as_str()),
            problem: failure.map(|failure| failure.kind.to_string()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
        }
    }
}

pub(super) async fn show(ops: Data<Ops>) -> HttpResponse {
    let (total, kept) = ops.failures.read();
    let body = FailuresBody {
        version: ops.build_info.version,
        config_hash: &ops.build_info.config_hash,
        breakers: breaker_states(&ops.layers),
        total,
        failures: kept.iter().map(FailedBody::from).collect(),
    };
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(body)
}
