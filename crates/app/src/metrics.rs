//! Reads values from the service at each scrape and feeds the histograms: one file per family.
//! `telemetry::metrics::catalog` documents the metrics.

mod breakers_and_bulkheads;
mod build_info;
mod caches;
mod connections;
mod dependencies;
mod lazy_series;
mod overload;
mod puzzles;
mod queue;
mod requests;

pub(crate) use breakers_and_bulkheads::watch as watch_protection;
pub(crate) use build_info::watch as watch_facts;
pub(crate) use caches::watch as watch_caches;
pub(crate) use connections::watch as watch_connections;
pub(crate) use dependencies::{
    observer, watch_cache_redis, watch_dependency, watch_postgres_pool, watch_queue_redis,
};
pub(crate) use overload::watch as watch_overload;
pub(crate) use puzzles::watch as watch_puzzles;
pub(crate) use queue::{Waits, watch as watch_queue};
pub(crate) use requests::Requests;

/// Metrics that each read one number from a `T`.
type Numbers<T> = &'static [(&'static telemetry::metrics::Metric, fn(&T) -> f64)];
