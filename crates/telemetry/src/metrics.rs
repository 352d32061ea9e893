//! Metrics: what is measured, how a measurement is made, and how it is read.
//!
//! One instrumentation, two ways out: everything is measured through the OpenTelemetry SDK once, and read by Prometheus or
//! sent over OTLP.

pub mod catalogue;
mod meters;
mod metric;
mod prometheus;
pub mod reference;

pub use meters::{Histogram, Meters, Series, Watched};
pub use metric::{Kind, Metric};
pub use prometheus::Scrape;
