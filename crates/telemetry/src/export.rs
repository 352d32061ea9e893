//! Sending to a collector, on threads of its own. What cannot be sent is counted and given up; nobody who serves people ever
//! waits for it.

mod client;
mod exporter;
mod outbox;
mod processor;

pub(crate) use exporter::{log_exporter, metric_exporter, span_exporter};
pub(crate) use outbox::Outbox;
pub(crate) use processor::{log_processor, span_processor};
