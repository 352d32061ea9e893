//! The operations listener: liveness, startup, readiness, resilience state, metrics and recent
//! failures.

mod failures;
mod metrics;
mod node;
mod resilience;
mod route;

pub(crate) use failures::FailuresBody;
pub use node::NodeReadiness;
pub(crate) use resilience::ResilienceBody;
pub(crate) use route::OpsRoute;

use std::io;

use actix_web::guard::{self, GuardContext};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, HttpResponseBuilder, Resource, Responder};
use decorators::registry::Registry;
use domain::Dependency;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dependency_health::{DependencyHealth, Outage};
use crate::lifecycle::{Lifecycle, Phase};
use crate::overload::LoadShedder;
use crate::problem::Problem;
use crate::recent_failures::RecentFailures;
use crate::standard_headers::NO_STORE;

/// The state the operations routes report.
pub struct Ops {
    /// The lifecycle phase.
    pub lifecycle: Lifecycle,
    /// The dependencies that are down.
    pub dependency_health: DependencyHealth,
    /// Whether this node alone can serve visitors.
    pub node: NodeReadiness,
    /// The resilience layers and the caches.
    pub layers: Registry,
    /// The limits of the public routes.
    pub overload: LoadShedder,
    /// The recent failures.
    pub failures: RecentFailures,
    /// The program's version and configuration.
    pub build_info: BuildInfo,
    /// Renders the metrics; `None` if they are disabled.
    pub metrics: Option<MetricsText>,
}

/// Version and configuration of this program.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// Its version.
    pub version: &'static str,
    /// Hash of its configuration.
    pub config_hash: String,
}

/// Renders all metrics in Prometheus's text format.
pub type MetricsText = Box<dyn Fn() -> io::Result<String> + Send + Sync>;

/// The health of this process.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    /// `live`, `starting`, `started`, `ready`, `degraded` (ready, but a dependency is down),
    /// `cut-off` or `draining`.
    status: &'static str,
    /// The dependencies that are down; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    down: Vec<OutageBody>,
}

/// A dependency that is down.
#[derive(Serialize, ToSchema)]
#[schema(as = Outage)]
struct OutageBody {
    dependency: &'static str,
    /// The kind of failure.
    problem: String,
    /// The dependency's error message.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// Registers all operations routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    for route in OpsRoute::ALL {
        config.service(match route {
            OpsRoute::Live => read(route, livez),
            OpsRoute::Startup => read(route, startupz),
            OpsRoute::Ready => read(route, readyz),
            OpsRoute::NodeReady => read(route, node::show),
            OpsRoute::Resilience => read(route, resilience),
            OpsRoute::Failures => read(route, failures::show),
            OpsRoute::Metrics => read(route, metrics::show),
        });
    }
    config.default_service(web::to(async || refuse(Problem::RouteNotFound)));
}

/// Answers GET and HEAD with this handler.
fn read<Args, H>(route: OpsRoute, handler: H) -> Resource
where
    H: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    web::resource(route.template())
        .guard(guard::fn_guard(has_no_escape))
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(async || refuse(Problem::MethodNotAllowed("GET, HEAD"))))
}

/// Whether a path has no escapes: the library's router decodes them, and no path of this service
/// has one.
fn has_no_escape(request: &GuardContext<'_>) -> bool {
    !request.head().uri.path().contains('%')
}

/// Fixes the type of a handler that always refuses.
fn refuse(problem: Problem) -> Result<HttpResponse, Problem> {
    Err(problem)
}

/// Always live if the event loop runs. Nothing else is checked, so a failing dependency restarts no
/// process.
async fn livez() -> HttpResponse {
    answer(true, "live")
}

/// Whether configuration, stores and listeners are set up.
async fn startupz(ops: Data<Ops>) -> HttpResponse {
    match ops.lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving | Phase::Draining => answer(true, "started"),
    }
}

/// Whether this process should receive traffic. It stays ready when a dependency shared by all
/// processes is down: if all of them were removed at once, none would be left to serve what still
/// works.
async fn readyz(ops: Data<Ops>) -> HttpResponse {
    match ops.lifecycle.phase() {
        Phase::Starting => answer(false, "starting"),
        Phase::Serving => ready(&ops),
        Phase::Draining => answer(false, "draining"),
    }
}

/// The state and the counters of every resilience layer.
async fn resilience(ops: Data<Ops>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, NO_STORE))
        .json(ResilienceBody::of(&ops.layers, &ops.overload))
}

impl From<(&Dependency, &Outage)> for OutageBody {
    fn from((dependency, outage): (&Dependency, &Outage)) -> Self {
        Self {
            dependency: dependency.as_str(),
            problem: outage.kind.to_string(),
            cause: outage.cause.clone(),
        }
    }
}

/// Envoy sends traffic to a host whose health check has this header only if it has too few other
/// hosts.
const DEGRADED: HeaderName = HeaderName::from_static("x-envoy-degraded");

fn ready(ops: &Ops) -> HttpResponse {
    let down: Vec<_> = ops.dependency_health.now().iter().map(OutageBody::from).collect();
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
