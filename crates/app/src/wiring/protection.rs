//! What stands between the use cases and the adapters: one list of layers a port.

use std::sync::Arc;

use adapter_http::Protection;
use decorators::bulkhead::Bulkhead;
use decorators::cache::CacheStore;
use decorators::guard::Stack;
use decorators::retry::Retry;
use decorators::time_limit::TimeLimit;
use domain::concert::ConcertCatalog;
use domain::queue::QueueStore;
use domain::schedule::ScheduleBook;

use crate::config::{Config, LimitSection};

/// The catalogue's two ports ask one dependency: they share its breaker and its retries.
pub(crate) struct CatalogueGuards {
    retry: Option<Arc<Retry>>,
}

impl CatalogueGuards {
    pub(crate) fn new(config: &Config, shown: &mut Protection) -> Self {
        let retry = config.retry.settings().map(|settings| Arc::new(Retry::new(settings)));
        shown.retry.clone_from(&retry);
        Self { retry }
    }
}

/// Each list begins with the adapter; callers see the last line first.
pub(crate) fn protected_concerts(
    config: &Config,
    adapter: Arc<dyn ConcertCatalog>,
    guards: &CatalogueGuards,
    shown: &mut Protection,
) -> Arc<dyn ConcertCatalog> {
    let limit = &config.limits.concerts;
    Stack::on(adapter)
        // The list cannot take all connections from the dates.
        .with(bulkhead("concerts", limit, shown))
        // A page that does not come is a failure the breaker can count.
        .with(time_limit("concerts", limit))
        // A connection that a failover closed is no reason to fail; asked again through the breaker, so that it counts.
        .with(guards.retry.clone())
        .port()
}

/// As for the concerts.
pub(crate) fn protected_dates(
    config: &Config,
    adapter: Arc<dyn ScheduleBook>,
    guards: &CatalogueGuards,
    shown: &mut Protection,
) -> Arc<dyn ScheduleBook> {
    let limit = &config.limits.dates;
    Stack::on(adapter)
        .with(bulkhead("dates", limit, shown))
        .with(time_limit("dates", limit))
        .with(guards.retry.clone())
        .port()
}

/// No retry: who asks asks again, and a step whose outcome is unknown is not guessed at.
pub(crate) fn protected_line(
    config: &Config,
    adapter: Arc<dyn QueueStore>,
    shown: &mut Protection,
) -> Arc<dyn QueueStore> {
    let limit = &config.limits.queue;
    Stack::on(adapter)
        // Off by default: the adapter bounds what is under way by itself.
        .with(bulkhead("queue", limit, shown))
        // Nobody waits longer for the line than this, or than their request has left.
        .with(time_limit("queue", limit))
        .port()
}

/// No retry: without the second level there is the source.
pub(crate) fn protected_cache_store(
    config: &Config,
    adapter: Arc<dyn CacheStore>,
    shown: &mut Protection,
) -> Arc<dyn CacheStore> {
    let limit = &config.limits.cache;
    Stack::on(adapter)
        // Off by default: the pool bounds what is under way by itself.
        .with(bulkhead("cache", limit, shown))
        // What is slower than the source is no cache.
        .with(time_limit("cache", limit))
        .port()
}

fn bulkhead(name: &'static str, limit: &LimitSection, shown: &mut Protection) -> Option<Arc<Bulkhead>> {
    let bulkhead = Arc::new(Bulkhead::new(name, limit.bulkhead()?));
    shown.bulkheads.push(Arc::clone(&bulkhead));
    Some(bulkhead)
}

fn time_limit(name: &'static str, limit: &LimitSection) -> Option<TimeLimit> {
    (!limit.timeout.0.is_zero()).then(|| TimeLimit::new(name, limit.timeout.0))
}
