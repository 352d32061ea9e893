//! The resource attributes of all telemetry of this process.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

/// The program, its process, and the attributes the operator adds. Later values override earlier
/// ones.
pub(crate) fn resource(added: &[(String, String)]) -> Resource {
    let instance = format!("{:032x}", fastrand::u128(..));
    let added = added.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "boxoffice"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance),
        ])
        .with_attributes(added)
        .build()
}
