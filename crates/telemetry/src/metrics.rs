//! Metrics: their definitions, their instruments and their export.
//!
//! The OpenTelemetry SDK measures everything once; Prometheus reads it, or it is sent over OTLP.

pub mod catalog;
mod meters;
mod metric;
mod prometheus;
pub mod reference;

pub use meters::{Histogram, Meters, Series, Watched};
pub use metric::{Kind, Metric};
pub use prometheus::Scrape;
