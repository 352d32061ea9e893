//! Conversion of exported spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as Sent;
use opentelemetry_proto::tonic::trace::v1::Status as SentStatus;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::values::{Attributes, attributes, hex, id, of_resource, short};

/// A span, with the attributes of its process.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The parent span; `None` for the root of a trace.
    pub parent_span_id: Option<String>,
    /// The name of the operation.
    pub name: String,
    /// `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
    pub kind: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// The names of its events.
    pub events: Vec<String>,
    /// The traces of its links.
    pub linked_trace_ids: Vec<String>,
    /// Its status.
    pub status: Status,
    /// The start, in nanoseconds since 1970.
    pub start_nanos: u64,
    /// The end, in nanoseconds since 1970.
    pub end_nanos: u64,
    /// The instrumentation scope.
    pub scope: String,
    /// The attributes of the process.
    pub resource: Attributes,
}

/// The status of a span.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Status {
    /// No status was set.
    Unset,
    /// The operation succeeded.
    Ok,
    /// The operation failed, with a message.
    Error(String),
}

pub(super) fn flatten(sent: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_process in sent.resource_spans {
        let resource = of_resource(of_process.resource);
        for of_scope in of_process.scope_spans {
            let scope = of_scope.scope.map(|scope| scope.name).unwrap_or_default();
            spans.extend(of_scope.spans.into_iter().map(|span| flat(span, &scope, &resource)));
        }
    }
    spans
}

fn flat(sent: Sent, scope: &str, resource: &Attributes) -> Span {
    Span {
        trace_id: hex(&sent.trace_id),
        span_id: hex(&sent.span_id),
        parent_span_id: id(&sent.parent_span_id),
        kind: short(sent.kind().as_str_name(), "SPAN_KIND_"),
        name: sent.name,
        attributes: attributes(sent.attributes),
        events: sent.events.into_iter().map(|event| event.name).collect(),
        linked_trace_ids: sent.links.iter().map(|link| hex(&link.trace_id)).collect(),
        status: status(sent.status),
        start_nanos: sent.start_time_unix_nano,
        end_nanos: sent.end_time_unix_nano,
        scope: scope.to_owned(),
        resource: resource.clone(),
    }
}

fn status(sent: Option<SentStatus>) -> Status {
    let Some(sent) = sent else { return Status::Unset };
    match sent.code() {
        StatusCode::Unset => Status::Unset,
        StatusCode::Ok => Status::Ok,
        StatusCode::Error => Status::Error(sent.message),
    }
}
