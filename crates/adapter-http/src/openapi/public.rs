//! The operations of the public listener.

use actix_web::http::Method;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Paths, Ref, RefOr, Schema};

use super::headers::{self, ResponseHeader};
use super::{parameters, problems};
use crate::route::{DOCS_FILES, Route};

/// The id of the status query, which other operations link to.
const QUERY_STATUS: &str = "queryStatus";
const CONCERT_DATES: &str = "concertDates";
const LEAVE_QUEUE: &str = "leaveQueue";
const CONCERT_LIST: &str = "concertList";

/// What a route does, apart from the problems it answers with.
struct Described {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    about: &'static str,
    parameters: Vec<Parameter>,
    /// The responses to a request that succeeds, with their statuses.
    answers: Vec<(u16, Answer)>,
}

/// A response to a request that succeeds.
struct Answer {
    about: &'static str,
    headers: Vec<ResponseHeader>,
    /// Media type and schema of its body.
    body: Option<(&'static str, RefOr<Schema>)>,
    links: Vec<(&'static str, Link)>,
}

/// Adds the operations of every public route.
pub(super) fn add_to(paths: &mut Paths) {
    for route in Route::ALL {
        for method in route.methods().answered {
            let operation = operation(route, *method == Method::HEAD);
            paths.add_path_operation(route.template(), vec![named(method)], operation);
        }
    }
}

fn named(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::DELETE => HttpMethod::Delete,
        Method::HEAD => HttpMethod::Head,
        _ => HttpMethod::Get,
    }
}

fn operation(route: Route, is_head: bool) -> Operation {
    let Described { id, tag, summary, about, parameters, answers } = described(route);
    let id = if is_head { format!("{id}Head") } else { id.to_owned() };
    let summary = if is_head { format!("{summary}, without the body") } else { summary.to_owned() };
    let usual = [parameters::accept_language(), parameters::request_id()];
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(tag)
        .summary(Some(summary))
        .description(Some(about))
        .parameters(Some(parameters.into_iter().chain(usual)));
    for (status, problem) in problems::responses(Some(route), is_head) {
        operation = operation.response(status.to_string(), problem);
    }
    for (status, answer) in answers {
        operation = operation.response(status.to_string(), answer.response(is_head));
    }
    operation.build()
}

impl Answer {
    fn response(self, is_head: bool) -> Response {
        let all = self.headers.iter().chain([&headers::CACHE_CONTROL, &headers::X_REQUEST_ID]);
        let response = headers::with(ResponseBuilder::new().description(self.about), all);
        if is_head {
            return response.build();
        }
        let response = self
            .links
            .into_iter()
            .fold(response, |response, (name, link)| response.link(name, link));
        let Some((media_type, schema)) = self.body else { return response.build() };
        response.content(media_type, ContentBuilder::new().schema(Some(schema))).build()
    }
}

fn described(route: Route) -> Described {
    match route {
        Route::Issue => Described {
            id: "joinQueue",
            tag: "queue",
            summary: "Join the queue",
            about: "Issues a place to the user, or finds the one they hold. Repeating it is safe.",
            parameters: vec![
                parameters::user_id(),
                parameters::held_token(),
                parameters::join_puzzle(),
            ],
            answers: vec![(
                200,
                Answer {
                    about: "The place.",
                    headers: Vec::new(),
                    body: json("Ticket"),
                    links: [QUERY_STATUS, CONCERT_DATES, LEAVE_QUEUE]
                        .map(|id| (id, with_token(id, "$response.body#/waitingToken")))
                        .to_vec(),
                },
            )],
        },
        Route::Query => Described {
            id: QUERY_STATUS,
            tag: "queue",
            summary: "Query the status of a place",
            about: "Clients wait `pollAfterMs` before the next query; those that query much more \
                    often are refused with 429.",
            parameters: vec![parameters::waiting_token()],
            answers: vec![(
                200,
                Answer {
                    about: "The status.",
                    headers: Vec::new(),
                    body: json("PlaceStatus"),
                    links: [CONCERT_DATES, LEAVE_QUEUE]
                        .map(|id| (id, with_token(id, "$request.header.waitingToken")))
                        .to_vec(),
                },
            )],
        },
        Route::Leave => Described {
            id: LEAVE_QUEUE,
            tag: "queue",
            summary: "Leave the queue",
            about: "Releases the place, the call or the session. Other nodes may take a second to \
                    notice.",
            parameters: vec![parameters::waiting_token()],
            answers: vec![(
                204,
                Answer {
                    about: "The place is released.",
                    headers: Vec::new(),
                    body: None,
                    links: Vec::new(),
                },
            )],
        },
        Route::Concerts => concerts(),
        Route::Dates => Described {
            id: CONCERT_DATES,
            tag: "catalog",
            summary: "List the dates of a concert that still have seats",
            about: "For callers the queue has admitted. The first successful response begins the \
                    session; an error begins nothing.",
            parameters: vec![parameters::concert_id(), parameters::waiting_token()],
            answers: vec![(
                200,
                Answer {
                    about: "The dates, the earliest first; none if no date has seats or is on \
                            sale.",
                    headers: vec![headers::AGE, headers::WARNING],
                    body: list_of("ConcertDate"),
                    links: Vec::new(),
                },
            )],
        },
        Route::Description => documented(
            "openApi",
            "This description",
            "The API in OpenAPI 3.1.",
            Vec::new(),
            "application/json",
            Type::Object,
        ),
        Route::Docs => documented(
            "docs",
            "A page to read and try the API",
            "Swagger UI with this description.",
            Vec::new(),
            "text/html",
            Type::String,
        ),
        Route::DocsFile => documented(
            "docsFile",
            "A file of that page",
            "Styles and scripts of Swagger UI, compressed if the client accepts it.",
            vec![parameters::docs_file(DOCS_FILES)],
            "*/*",
            Type::String,
        ),
    }
}

fn concerts() -> Described {
    let about_the_list = || vec![headers::ETAG, headers::LINK, headers::X_TOTAL_COUNT];
    let stale = [headers::AGE, headers::WARNING];
    Described {
        id: CONCERT_LIST,
        tag: "catalog",
        summary: "List the concerts",
        about: "A page after the last is empty.",
        parameters: vec![parameters::page(), parameters::if_none_match()],
        answers: vec![
            (
                200,
                Answer {
                    about: "The concerts of the page, in ascending order of their ids.",
                    headers: about_the_list().into_iter().chain(stale).collect(),
                    body: list_of("Concert"),
                    links: Vec::new(),
                },
            ),
            (
                304,
                Answer {
                    about: "The version named by `If-None-Match` is still current.",
                    headers: about_the_list(),
                    body: None,
                    links: Vec::new(),
                },
            ),
        ],
    }
}

fn documented(
    id: &'static str,
    summary: &'static str,
    about: &'static str,
    parameters: Vec<Parameter>,
    media_type: &'static str,
    kind: Type,
) -> Described {
    let schema = ObjectBuilder::new().schema_type(kind);
    let answer = Answer {
        about: "As requested.",
        headers: Vec::new(),
        body: Some((media_type, schema.into())),
        links: Vec::new(),
    };
    Described { id, tag: "documentation", summary, about, parameters, answers: vec![(200, answer)] }
}

fn json(schema: &str) -> Option<(&'static str, RefOr<Schema>)> {
    Some(("application/json", Ref::from_schema_name(schema).into()))
}

fn list_of(schema: &str) -> Option<(&'static str, RefOr<Schema>)> {
    let list = ArrayBuilder::new().items(Ref::from_schema_name(schema));
    Some(("application/json", list.into()))
}

/// A link to an operation that takes the token found at `place`, a runtime expression.
fn with_token(operation: &str, place: &str) -> Link {
    LinkBuilder::new().operation_id(operation).parameter("header.waitingToken", place).build()
}
