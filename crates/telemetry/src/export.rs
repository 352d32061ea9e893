//! Exports to a collector, on separate threads. Items that cannot be sent are counted and dropped;
//! no thread that serves requests waits for an export.

mod client;
mod collector;
mod exporter;
mod processor;
mod queue;

pub(crate) use collector::Collector;
pub(crate) use processor::{log_processor, span_processor};
pub(crate) use queue::ExportQueue;
