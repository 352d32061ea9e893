//! Observability: metrics, traces, logs, failures.

mod alerts;
mod collector;
mod diagnostics;
mod metrics;
pub(crate) mod scrape;
mod secrets;
mod whole;
