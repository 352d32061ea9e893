//! The headers of responses.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, Ref};

/// A header that responses may have.
pub(super) struct ResponseHeader {
    pub(super) name: &'static str,
    kind: Kind,
    about: &'static str,
}

enum Kind {
    Text,
    /// A whole number, at least this one.
    Number(isize),
}

pub(super) const AGE: ResponseHeader = ResponseHeader {
    name: "Age",
    kind: Kind::Number(0),
    about: "Only if the response is stale because its source is down: its age in seconds.",
};
pub(super) const ALLOW: ResponseHeader =
    ResponseHeader { name: "Allow", kind: Kind::Text, about: "The methods of the path." };
pub(super) const CACHE_CONTROL: ResponseHeader = ResponseHeader {
    name: "Cache-Control",
    kind: Kind::Text,
    about: "`no-store`, or for how long a cache may keep the response.",
};
pub(super) const CONTENT_LANGUAGE: ResponseHeader = ResponseHeader {
    name: "Content-Language",
    kind: Kind::Text,
    about: "The language of `message`: `ko` or `en`.",
};
pub(super) const ETAG: ResponseHeader = ResponseHeader {
    name: "ETag",
    kind: Kind::Text,
    about: "The version of the response, for `If-None-Match`.",
};
pub(super) const LINK: ResponseHeader = ResponseHeader {
    name: "Link",
    kind: Kind::Text,
    about: "The pages `first`, `prev`, `next` and `last` (RFC 8288).",
};
pub(super) const RETRY_AFTER: ResponseHeader = ResponseHeader {
    name: "Retry-After",
    kind: Kind::Number(1),
    about: "When to try again, in seconds.",
};
pub(super) const WARNING: ResponseHeader = ResponseHeader {
    name: "Warning",
    kind: Kind::Text,
    about: "Only if the response is stale because its source is down: code 110 (RFC 7234).",
};
pub(super) const X_ENVOY_DEGRADED: ResponseHeader = ResponseHeader {
    name: "X-Envoy-Degraded",
    kind: Kind::Text,
    about: "Only if this node is cut off from a store that visitors need: `true`.",
};
pub(super) const X_REQUEST_ID: ResponseHeader = ResponseHeader {
    name: "X-Request-Id",
    kind: Kind::Text,
    about: "The request's id: the caller's own if it is acceptable, otherwise a new one.",
};
pub(super) const X_TOTAL_COUNT: ResponseHeader = ResponseHeader {
    name: "X-Total-Count",
    kind: Kind::Number(0),
    about: "The number of concerts on all pages.",
};

pub(super) const ALL: [ResponseHeader; 11] = [
    AGE,
    ALLOW,
    CACHE_CONTROL,
    CONTENT_LANGUAGE,
    ETAG,
    LINK,
    RETRY_AFTER,
    WARNING,
    X_ENVOY_DEGRADED,
    X_REQUEST_ID,
    X_TOTAL_COUNT,
];

/// Adds these headers to a response, by reference.
pub(super) fn with<'a>(
    response: ResponseBuilder,
    headers: impl IntoIterator<Item = &'a ResponseHeader>,
) -> ResponseBuilder {
    headers.into_iter().fold(response, |response, header| {
        let reference = Ref::new(format!("#/components/headers/{}", header.name));
        response.header_ref(header.name, reference)
    })
}

impl ResponseHeader {
    pub(super) fn described(&self) -> Header {
        let schema = match self.kind {
            Kind::Text => ObjectBuilder::new().schema_type(Type::String),
            Kind::Number(minimum) => ObjectBuilder::new()
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(minimum)),
        };
        HeaderBuilder::new().schema(Some(schema)).description(Some(self.about)).build()
    }
}
