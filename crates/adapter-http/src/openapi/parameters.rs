//! The parameters of requests.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, Required};

/// The highest id, 2^63-1.
const MAX_ID: isize = 9_223_372_036_854_775_807;

/// The highest page, 2^32-1.
const MAX_PAGE: isize = 4_294_967_295;

pub(super) fn user_id() -> Parameter {
    id("userId", "The user, in decimal digits without leading zeros.")
}

pub(super) fn concert_id() -> Parameter {
    id("concertId", "The concert, in decimal digits without leading zeros.")
}

fn id(name: &str, about: &str) -> Parameter {
    let schema = whole_number(MAX_ID);
    parameter(name, ParameterIn::Path, about).required(Required::True).schema(Some(schema)).build()
}

pub(super) fn page() -> Parameter {
    let schema = whole_number(MAX_PAGE).default(Some(1.into()));
    parameter("page", ParameterIn::Query, "The page, at most once.").schema(Some(schema)).build()
}

fn whole_number(maximum: isize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(maximum))
}

pub(super) fn waiting_token() -> Parameter {
    header("waitingToken", "The token of the place, as joining the queue returned it.")
        .required(Required::True)
        .build()
}

pub(super) fn held_token() -> Parameter {
    header(
        "waitingToken",
        "The token of a place that the user may still hold, which joining then finds even if the \
         store has lost the holder. Empty counts as none.",
    )
    .build()
}

pub(super) fn join_puzzle() -> Parameter {
    header(
        "joinPuzzle",
        "The solution of the puzzle of a 428 response: the puzzle, a dot, and the counters, \
         ascending, separated by commas. Ignored while no puzzle is required.",
    )
    .build()
}

pub(super) fn accept_language() -> Parameter {
    header("Accept-Language", "English messages if it prefers `en` to `ko`; otherwise Korean.")
        .build()
}

pub(super) fn if_none_match() -> Parameter {
    header("If-None-Match", "The `ETag` of an earlier response; 304 if it is still current.")
        .build()
}

pub(super) fn request_id() -> Parameter {
    header(
        "X-Request-Id",
        "The caller's id of the request: up to 64 letters, digits, `-`, `_` and `.`; any other is \
         replaced.",
    )
    .build()
}

pub(super) fn docs_file(names: [&'static str; 3]) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    parameter("file", ParameterIn::Path, "The file's name.")
        .required(Required::True)
        .schema(Some(schema))
        .build()
}

fn header(name: &str, about: &str) -> ParameterBuilder {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    parameter(name, ParameterIn::Header, about).schema(Some(schema))
}

fn parameter(name: &str, place: ParameterIn, about: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(about))
}
