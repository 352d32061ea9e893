//! Every metric, one file per family. A metric must be defined here to be recorded.

pub mod breakers_and_bulkheads;
pub mod caches;
pub mod connections;
pub mod dependencies;
pub mod overload;
pub mod process;
pub mod puzzles;
pub mod queue;
pub mod requests;
pub mod telemetry;

use super::Metric;

/// Metrics about one topic.
pub struct Family {
    /// The topic, as a heading.
    pub title: &'static str,
    /// Its metrics.
    pub metrics: &'static [&'static Metric],
}

/// All families, in the order of the reference.
pub const FAMILIES: &[Family] = &[
    queue::FAMILY,
    requests::FAMILY,
    connections::FAMILY,
    overload::FAMILY,
    puzzles::FAMILY,
    breakers_and_bulkheads::FAMILY,
    caches::FAMILY,
    dependencies::FAMILY,
    process::FAMILY,
    telemetry::FAMILY,
];
