//! Conversion of exported logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord as Sent;

use super::values::{Attributes, attributes, id, of_resource, short, text};

/// A log record, with the attributes of its process.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The message.
    pub body: String,
    /// The severity text, such as `INFO`, or else the name of the severity number, such as `info`.
    pub severity: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// The trace that it belongs to.
    pub trace_id: Option<String>,
    /// The span that it belongs to.
    pub span_id: Option<String>,
    /// The instrumentation scope.
    pub scope: String,
    /// The attributes of the process.
    pub resource: Attributes,
}

pub(super) fn flatten(sent: ExportLogsServiceRequest) -> Vec<Log> {
    let mut logs = Vec::new();
    for of_process in sent.resource_logs {
        let resource = of_resource(of_process.resource);
        for of_scope in of_process.scope_logs {
            let scope = of_scope.scope.map(|scope| scope.name).unwrap_or_default();
            logs.extend(of_scope.log_records.into_iter().map(|log| flat(log, &scope, &resource)));
        }
    }
    logs
}

fn flat(sent: Sent, scope: &str, resource: &Attributes) -> Log {
    let by_number = short(sent.severity_number().as_str_name(), "SEVERITY_NUMBER_");
    Log {
        body: text(sent.body),
        severity: if sent.severity_text.is_empty() { by_number } else { sent.severity_text },
        attributes: attributes(sent.attributes),
        trace_id: id(&sent.trace_id),
        span_id: id(&sent.span_id),
        scope: scope.to_owned(),
        resource: resource.clone(),
    }
}
