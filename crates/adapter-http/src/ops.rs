//! The operations listener: is it alive, has it started, may it get traffic, what protects it, how does it do, and what failed?

mod failures;
mod metrics;
mod node;
mod protection;

pub use node::NodeReadiness;
pub use protection::Protection;

use std::io;

use actix_web::guard::{self, GuardContext};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::failures::Failures;
use crate::lifecycle::{Lifecycle, Phase};
use crate::outages::{Outage, Outages};
use crate::problem::Problem;
use crate::queue::NO_STORE;

/// What operators look at.
pub struct Ops {
    /// Where the program is in its life.
    pub lifecycle: Lifecycle,
    /// What it has to do without.
    pub outages: Outages,
    /// Whether it can do all that visitors need by itself.
    pub node: NodeReadiness,
    /// What protects its dependencies.
    pub protection: Protection,
    /// What failed lately.
    pub failures: Failures,
    /// Which program it is.
    pub facts: Facts,
    /// Everything measured, in Prometheus's text format; nothing where nothing is.
    pub metrics: Option<MetricsText>,
}

/// Which program this is.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its version.
    pub version: &'static str,
    /// What tells its configuration from another one.
    pub config_hash: String,
}

/// Writes down everything measured, as of now.
pub type MetricsText = Box<dyn Fn() -> io::Result<String> + Send + Sync>;

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    down: Vec<OutageBody>,
}

#[derive(Serialize)]
struct OutageBody {
    dependency: &'static str,
    problem: String,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// Every operations route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let on_read = |path| {
        web::resource(path)
            .guard(guard::fn_guard(has_no_escape))
            .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD"))))
    };
    config.service(on_read("/livez").route(web::get().to(livez)).route(web::head().to(livez)));
    config.service(
        on_read("/startupz").route(web::get().to(startupz)).route(web::head().to(startupz)),
    );
    config.service(on_read("/readyz").route(web::get().to(readyz)).route(web::head().to(readyz)));
    config.service(
        on_read("/readyz/node").route(web::get().to(node::show)).route(web::head().to(node::show)),
    );
    config.service(
        on_read("/protection").route(web::get().to(protection)).route(web::head().to(protection)),
    );
    config.service(
        on_read("/failures")
            .route(web::get().to(failures::show))
            .route(web::head().to(failures::show)),
    );
    config.service(
        on_read("/metrics")
            .route(web::get().to(metrics::show))
            .route(web::head().to(metrics::show)),
    );
    config.default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// Whether a path means what it says: the library's router undoes escapes, and no path of ours has
/// one.
fn has_no_escape(request: &GuardContext<'_>) -> bool {
    !request.head().uri.path().contains('%')
}

/// A handler's way to say no.
fn refuse(problem: Problem) -> Result<HttpResponse, Problem> {
    Err(problem)
}

/// The event loop turns; nothing else is looked at, so that a failing dependency restarts nobody.
async fn livez() -> HttpResponse {
    answer(true, "live")
}

/// Configuration, stores and listeners are set up.
async fn startupz(ops: Data<Ops>) -> HttpResponse {
    match ops.lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving | Phase::Draining => answer(true, "started"),
    }
}

/// This process wants traffic. It still does when something that all processes share is down: were they all to leave
/// at once, nobody would be left to say what can still be said.
async fn readyz(ops: Data<Ops>) -> HttpResponse {
    match ops.lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving => ready(&ops),
        Phase::Draining => answer(false, "draining"),
    }
}

/// The state and the counters of every layer.
async fn protection(ops: Data<Ops>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(ops.protection.body())
}

impl From<(&&'static str, &Outage)> for OutageBody {
    fn from((dependency, outage): (&&'static str, &Outage)) -> Self {
        Self { dependency, problem: outage.kind.to_string(), cause: outage.cause.clone() }
    }
}

/// Envoy sends traffic to a host whose health check has this header only when others are too few.
const DEGRADED: HeaderName = HeaderName::from_static("x-envoy-degraded");

fn ready(ops: &Ops) -> HttpResponse {
    let down: Vec<_> = ops.outages.now().iter().map(OutageBody::from).collect();
    let status = if down.is_empty() { "ready" } else { "degraded" };
    let mut response = respond(StatusCode::OK, HealthBody { status, down });
    if ops.node.is_cut_off() {
        response.headers_mut().insert(DEGRADED, HeaderValue::from_static("true"));
    }
    response
}

fn answer(good: bool, status: &'static str) -> HttpResponse {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond(code, HealthBody { status, down: Vec::new() })
}

fn respond(code: StatusCode, body: HealthBody) -> HttpResponse {
    HttpResponseBuilder::new(code).insert_header((CACHE_CONTROL, NO_STORE)).json(body)
}
