//! Sending to a collector, on threads of its own. What cannot be sent is counted and given up; nobody who serves people ever
//! waits for it.

mod client;
mod collector;
mod exporter;
mod outbox;
mod processor;

pub(crate) use collector::Collector;
pub(crate) use outbox::Outbox;
pub(crate) use processor::{log_processor, span_processor};
