//! The operations of the operations listener.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::server::{ServerBuilder, ServerVariableBuilder};
use utoipa::openapi::{Paths, Ref, RefOr, Schema, Server};

use super::headers::{self, ResponseHeader};
use super::{parameters, problems};
use crate::ops::OpsRoute;

/// The status of a process that should not receive traffic, and of some problems.
const UNAVAILABLE: u16 = 503;

/// What a route does.
struct Described {
    id: &'static str,
    summary: &'static str,
    about: &'static str,
    media_type: &'static str,
    schema: RefOr<Schema>,
    /// When it answers with status 503 and the same body, if ever.
    unavailable: Option<&'static str>,
    headers: &'static [ResponseHeader],
}

/// Adds the operations of every route, on a server of their own.
pub(super) fn add_to(paths: &mut Paths) {
    for route in OpsRoute::ALL {
        for (method, is_head) in [(HttpMethod::Get, false), (HttpMethod::Head, true)] {
            paths.add_path_operation(route.template(), vec![method], operation(route, is_head));
        }
    }
}

/// The operations listener, by default on port 9081 of the same machine.
fn server() -> Server {
    let port = ServerVariableBuilder::new().default_value("9081").description(Some("`ops.bind`"));
    let host = ServerVariableBuilder::new().default_value("127.0.0.1");
    ServerBuilder::new()
        .url("http://{host}:{port}")
        .description(Some("The operations listener"))
        .parameter("host", host)
        .parameter("port", port)
        .build()
}

fn operation(route: OpsRoute, is_head: bool) -> Operation {
    let Described { id, summary, about, media_type, schema, unavailable, headers } =
        described(route);
    let id = if is_head { format!("{id}Head") } else { id.to_owned() };
    let summary = if is_head { format!("{summary}, without the body") } else { summary.to_owned() };
    let answer = |about: &str| {
        let all = headers.iter().chain([&headers::CACHE_CONTROL, &headers::X_REQUEST_ID]);
        let response = headers::with(ResponseBuilder::new().description(about), all);
        if is_head { response } else { response.content(media_type, content(&schema)) }
    };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag("operations")
        .summary(Some(summary))
        .description(Some(about))
        .server(server())
        .parameters(Some([parameters::accept_language(), parameters::request_id()]));
    for (status, problem) in problems::responses(None, is_head) {
        operation = operation.response(status.to_string(), problem);
    }
    if let Some(when) = unavailable {
        let response = answer(when).build();
        let response = match problems::response(None, UNAVAILABLE, is_head) {
            Some(problem) => both(response, problem),
            None => response,
        };
        operation = operation.response(UNAVAILABLE.to_string(), response);
    }
    operation.response("200", answer("The state now.")).build()
}

fn content(schema: &RefOr<Schema>) -> ContentBuilder {
    ContentBuilder::new().schema(Some(schema.clone()))
}

/// One response for two reasons of the same status.
fn both(mut response: Response, problem: Response) -> Response {
    response.description = format!("{}\n\n{}", response.description, problem.description);
    response.headers.extend(problem.headers);
    response.content.extend(problem.content);
    response
}

fn described(route: OpsRoute) -> Described {
    let health = |id, summary, about, unavailable, headers| Described {
        id,
        summary,
        about,
        media_type: "application/json",
        schema: Ref::from_schema_name("Health").into(),
        unavailable,
        headers,
    };
    let state = |id, summary, about, schema| Described {
        id,
        summary,
        about,
        media_type: "application/json",
        schema: Ref::from_schema_name(schema).into(),
        unavailable: None,
        headers: &[],
    };
    match route {
        OpsRoute::Live => health(
            "liveness",
            "Whether the process runs",
            "Nothing else is checked, so a failing dependency restarts no process.",
            None,
            &[],
        ),
        OpsRoute::Startup => health(
            "startup",
            "Whether the process has started",
            "Configuration, stores and listeners are set up.",
            Some("It is starting."),
            &[],
        ),
        OpsRoute::Ready => health(
            "readiness",
            "Whether the process should receive traffic",
            "It stays ready while a store is down that all processes share.",
            Some("It is starting or draining."),
            &[headers::X_ENVOY_DEGRADED],
        ),
        OpsRoute::NodeReady => health(
            "nodeReadiness",
            "Whether this node alone can serve visitors",
            "For load balancers that compare nodes.",
            Some("It is starting, draining, or cut off from a store that visitors need."),
            &[],
        ),
        OpsRoute::Resilience => state(
            "resilience",
            "Breakers, bulkheads, caches and limits",
            "The state and the counters of every resilience layer.",
            "Resilience",
        ),
        OpsRoute::Failures => state(
            "failures",
            "The most recent failed requests",
            "Newest first, with what helps to diagnose them.",
            "Failures",
        ),
        OpsRoute::Metrics => Described {
            id: "metrics",
            summary: "All metrics",
            about: "In Prometheus's text format; 404 if metrics are disabled.",
            media_type: "text/plain",
            schema: ObjectBuilder::new().schema_type(Type::String).into(),
            unavailable: None,
            headers: &[],
        },
    }
}
