//! The description of the API (OpenAPI 3.1), built from the routes, the bodies and the problems
//! that the service answers with.

mod headers;
mod operations;
mod parameters;
mod problems;
mod public;

use std::sync::LazyLock;

use utoipa::ToSchema;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, Paths, RefOr, Schema, Server};

use crate::concert::ConcertBody;
use crate::handlers::queue::{StatusBody, TicketBody};
use crate::ops::{FailuresBody, HealthBody, ResilienceBody};
use crate::problem::ProblemBody;
use crate::schedule::DateBody;

const ABOUT: &str = "\
A concert on-sale service: a virtual waiting room, the concert list, and the dates that still have
seats.

A visitor joins the queue, receives a token, and queries the status of the place with it until the
place is called. The token then opens the dates of a concert, and the visitor leaves the queue or
lets the session end.

Every error is `application/problem+json` (RFC 9457); programs go by its `code`. Every response has
the headers `X-Request-Id`, `X-Content-Type-Options`, `Content-Security-Policy` and
`Referrer-Policy`. The exception is input that is not HTTP, or not in time, or has more than 96
headers: it is refused with a bare 400, 408 or 431. Times are RFC 3339 in UTC. Unknown query parameters and fields are ignored, and
later versions may add fields and codes. No route reads a request body.";

/// The groups of operations, in the order in which they are shown.
const TAGS: [(&str, &str); 4] = [
    ("queue", "Join the queue, query the status of a place, leave."),
    ("catalog", "Concerts, and their dates for those the queue has admitted."),
    ("documentation", "This description and its page, unless `http.docs` is false."),
    ("operations", "Health, failures and metrics, on a listener that visitors do not reach."),
];

fn tag((name, about): (&str, &str)) -> Tag {
    TagBuilder::new().name(name).description(Some(about)).build()
}

/// The description as indented JSON, with a newline at its end.
#[must_use]
pub fn json() -> &'static str {
    static JSON: LazyLock<String> =
        LazyLock::new(|| description().to_pretty_json().map_or_else(|_| String::new(), end_line));
    &JSON
}

fn end_line(text: String) -> String {
    text + "\n"
}

fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Boxoffice")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let mut paths = Paths::new();
    public::add_to(&mut paths);
    operations::add_to(&mut paths);
    let mut description = OpenApi::new(info, paths);
    description.components = Some(components());
    description.servers = Some(vec![Server::new(".")]);
    description.tags = Some(TAGS.map(tag).to_vec());
    description
}

fn components() -> Components {
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas()).build();
    components.headers =
        headers::ALL.iter().map(|it| (it.name.to_owned(), it.described().into())).collect();
    components.examples =
        problems::examples().into_iter().map(|(name, it)| (name, it.into())).collect();
    components.responses =
        problems::components().into_iter().map(|(name, it)| (name, it.into())).collect();
    components
}

/// The schemas of the bodies, and of all that they contain.
fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    add::<TicketBody<'_>>(&mut schemas);
    add::<StatusBody>(&mut schemas);
    add::<ConcertBody<'_>>(&mut schemas);
    add::<DateBody<'_>>(&mut schemas);
    add::<ProblemBody<'_>>(&mut schemas);
    add::<HealthBody>(&mut schemas);
    add::<ResilienceBody>(&mut schemas);
    add::<FailuresBody<'_>>(&mut schemas);
    schemas
}

fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::ops::OpsRoute;
    use crate::route::Route;

    fn described() -> Value {
        serde_json::from_str(json()).unwrap()
    }

    #[test]
    fn the_paths_are_the_routes_with_their_methods() {
        let described = described();
        let paths = described["paths"].as_object().unwrap();
        let listed: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| (path.clone(), method.to_uppercase()))
            })
            .filter(|(_, method)| method != "SERVERS")
            .collect();
        let public = Route::ALL.into_iter().flat_map(|route| {
            let methods = route.methods().answered.iter();
            methods.map(move |method| (route.template().to_owned(), method.to_string()))
        });
        let operations = OpsRoute::ALL.into_iter().flat_map(|route| {
            ["GET", "HEAD"].map(|method| (route.template().to_owned(), method.to_owned()))
        });
        assert_eq!(listed, public.chain(operations).collect());
    }

    #[test]
    fn every_reference_has_a_component() {
        fn follow(root: &Value, value: &Value) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let place = reference.strip_prefix('#').unwrap();
                        assert!(root.pointer(place).is_some(), "{reference}");
                    }
                    fields.values().for_each(|field| follow(root, field));
                }
                Value::Array(items) => items.iter().for_each(|item| follow(root, item)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let described = described();
        follow(&described, &described);
    }

    #[test]
    fn every_problem_has_an_example_in_both_languages() {
        let described = described();
        let examples = described["components"]["examples"].as_object().unwrap();
        for (problem, _) in crate::problem::reference::rows() {
            let answer = problem.answer();
            for (language, message) in [("ko", answer.korean), ("en", answer.english)] {
                let example = &examples[&format!("{}.{language}", answer.code)]["value"];
                assert_eq!(example["code"], answer.code);
                assert_eq!(example["message"], message);
            }
        }
    }
}
