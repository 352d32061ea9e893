//! Every metric there is, one family a file. What is not in here cannot be measured.

pub mod caches;
pub mod connections;
pub mod dependencies;
pub mod line;
pub mod overload;
pub mod process;
pub mod protection;
pub mod puzzles;
pub mod requests;
pub mod telemetry;

use super::Metric;

/// Metrics about one thing.
pub struct Family {
    /// What it is about, as a heading.
    pub title: &'static str,
    /// Its metrics.
    pub metrics: &'static [&'static Metric],
}

/// All families, in the order of the story they tell.
pub const FAMILIES: &[Family] = &[
    line::FAMILY,
    requests::FAMILY,
    connections::FAMILY,
    overload::FAMILY,
    puzzles::FAMILY,
    protection::FAMILY,
    caches::FAMILY,
    dependencies::FAMILY,
    process::FAMILY,
    telemetry::FAMILY,
];
