//! Conversion of values to text, which tests compare.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Values by name. A list is written `[a, b]`, a map `{key=value}`, and bytes in hexadecimal.
pub type Attributes = BTreeMap<String, String>;

pub(super) fn attributes(sent: Vec<KeyValue>) -> Attributes {
    sent.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

pub(super) fn of_resource(sent: Option<Resource>) -> Attributes {
    attributes(sent.map(|resource| resource.attributes).unwrap_or_default())
}

pub(super) fn text(sent: Option<AnyValue>) -> String {
    match sent.and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(is_so)) => is_so.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BytesValue(bytes)) => hex(&bytes),
        Some(Value::ArrayValue(list)) => {
            let items: Vec<_> = list.values.into_iter().map(|item| text(Some(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Some(Value::KvlistValue(map)) => {
            let pairs =
                map.values.into_iter().map(|pair| format!("{}={}", pair.key, text(pair.value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        // Used only in profiles; elsewhere it counts as absent.
        Some(Value::StringValueStrindex(_)) | None => String::new(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An identifier; zeros mean that it is absent.
pub(super) fn id(bytes: &[u8]) -> Option<String> {
    bytes.iter().any(|byte| *byte != 0).then(|| hex(bytes))
}

/// The end of a name such as `SPAN_KIND_SERVER`, in lower case.
pub(super) fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}
