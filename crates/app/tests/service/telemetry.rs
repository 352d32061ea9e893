//! What can be seen of the service: metrics, traces, logs, failures.

mod alerts;
mod diagnostics;
mod metrics;
mod scrape;
mod whole;
