//! The layers between the use cases and the adapters: one stack per port.

use std::sync::Arc;
use std::time::Duration;

use decorators::breaker::{Breaker, Event, State};
use decorators::breaker_layer::CircuitBreakerLayer;
use decorators::bulkhead::Bulkhead;
use decorators::cache::CacheStore;
use decorators::instrumented::Observer;
use decorators::layer_stack::LayerStack;
use decorators::queue::QueueBreakers;
use decorators::registry::Registry;
use decorators::retry::Retry;
use decorators::timeout::Timeout;
use domain::Dependency;
use domain::concert::ConcertCatalog;
use domain::queue::QueueStore;
use domain::schedule::ScheduleBook;

use crate::config::{BreakerSection, Config, LimitSection};
use crate::start_error::StartError;

/// Both ports of the catalog call one dependency, so they share its breaker and its retries.
pub(crate) struct CatalogLayers {
    breaker: Option<Arc<CircuitBreakerLayer>>,
    retry: Option<Arc<Retry>>,
}

impl CatalogLayers {
    pub(crate) fn new(config: &Config, registry: &Registry) -> Result<Self, StartError> {
        let retry = config.retry.settings().map(|settings| Arc::new(Retry::new(settings)));
        registry.set_retry(retry.clone());
        Ok(Self {
            breaker: breaker(Dependency::CATALOG, &config.breaker.catalog, registry)?,
            retry,
        })
    }
}

/// Each stack begins with the adapter; a call enters at the last layer.
pub(crate) fn protected_concerts(
    config: &Config,
    adapter: Arc<dyn ConcertCatalog>,
    guards: &CatalogLayers,
    observer: Option<Arc<dyn Observer>>,
    registry: &Registry,
) -> Arc<dyn ConcertCatalog> {
    let limit = &config.limits.concerts;
    LayerStack::on(adapter)
        // A page that does not arrive in time is a failure that the breaker can count.
        .with(time_limit(Dependency::CONCERTS, limit))
        // Measures the same calls that the breaker counts.
        .observed(observer)
        // Fails fast while the database fails.
        .with(guards.breaker.clone())
        // The list cannot take all connections from the dates. Outside the breaker, which would
        // count a wait in the bulkhead as a slow database.
        .with(bulkhead(Dependency::CONCERTS, limit, registry))
        // Retries a connection that a failover closed. Outside the breaker, which counts every
        // attempt.
        .with(guards.retry.clone())
        .port()
}

/// As for the concerts.
pub(crate) fn protected_dates(
    config: &Config,
    adapter: Arc<dyn ScheduleBook>,
    guards: &CatalogLayers,
    observer: Option<Arc<dyn Observer>>,
    registry: &Registry,
) -> Arc<dyn ScheduleBook> {
    let limit = &config.limits.dates;
    LayerStack::on(adapter)
        .with(time_limit(Dependency::DATES, limit))
        .observed(observer)
        .with(guards.breaker.clone())
        .with(bulkhead(Dependency::DATES, limit, registry))
        .with(guards.retry.clone())
        .port()
}

/// Without retries: clients poll again, and the outcome of a failed step may be unknown.
pub(crate) fn protected_queue(
    config: &Config,
    adapter: Arc<dyn QueueStore>,
    observer: Option<Arc<dyn Observer>>,
    registry: &Registry,
) -> Result<Arc<dyn QueueStore>, StartError> {
    let limit = &config.limits.queue;
    let guarded = LayerStack::on(adapter)
        // Off by default: the adapter limits each of its waits, and the request has a timeout.
        .with(time_limit(Dependency::QUEUE, limit))
        .observed(observer)
        // While the store is down, joins fail fast, and waiting users get their place from this
        // node's view. Joins have their own breaker, so that their failures do not lock out users
        // with a session.
        .with_breakers(QueueBreakers {
            joining: breaker(Dependency::JOINING, &config.breaker.joining, registry)?,
            places: breaker(Dependency::QUEUE, &config.breaker.queue, registry)?,
        })
        // Also off by default: the adapter limits its own in-flight calls.
        .with(bulkhead(Dependency::QUEUE, limit, registry))
        .port();
    Ok(guarded)
}

/// Without retries: if the second level fails, the source is used.
pub(crate) fn protected_cache_store(
    config: &Config,
    adapter: Arc<dyn CacheStore>,
    observer: Option<Arc<dyn Observer>>,
    registry: &Registry,
) -> Result<Arc<dyn CacheStore>, StartError> {
    let limit = &config.limits.cache;
    let guarded = LayerStack::on(adapter)
        // A cache that is slower than its source is useless.
        .with(time_limit(Dependency::CACHE, limit))
        .observed(observer)
        // While the store is down, no caller waits for it.
        .with(breaker(Dependency::CACHE, &config.breaker.cache, registry)?)
        // Off by default: the pool limits its own in-flight calls.
        .with(bulkhead(Dependency::CACHE, limit, registry))
        .port();
    Ok(guarded)
}

fn bulkhead(
    dependency: Dependency,
    limit: &LimitSection,
    registry: &Registry,
) -> Option<Arc<Bulkhead>> {
    let bulkhead = Arc::new(Bulkhead::new(dependency, limit.bulkhead()?));
    registry.add_bulkhead(Arc::clone(&bulkhead));
    Some(bulkhead)
}

fn time_limit(dependency: Dependency, limit: &LimitSection) -> Option<Timeout> {
    (!limit.timeout.0.is_zero()).then(|| Timeout::new(dependency, limit.timeout.0))
}

/// A breaker that logs its state changes.
fn breaker(
    dependency: Dependency,
    section: &BreakerSection,
    registry: &Registry,
) -> Result<Option<Arc<CircuitBreakerLayer>>, StartError> {
    let Some(begins) = section.begins() else { return Ok(None) };
    let wrong = |_| StartError::Miswired("a breaker's settings were not checked");
    let breaker = Breaker::new(section.settings(), fastrand::u64(..)).map_err(wrong)?;
    let breaker = breaker.on_change(Arc::new(move |event| notify(dependency.as_str(), event)));
    if begins != State::Closed {
        breaker
            .transition_to(begins, Duration::ZERO)
            .map_err(|_| StartError::Miswired("a breaker's mode was not checked"))?;
    }
    let breaking = Arc::new(CircuitBreakerLayer::new(dependency, breaker));
    registry.add_breaker(Arc::clone(&breaking));
    Ok(Some(breaking))
}

fn notify(breaker: &'static str, event: &Event) {
    match event {
        Event::StateTransition { from, to: to @ (State::Open | State::ForcedOpen) } => {
            tracing::warn!(breaker, %from, %to, "a circuit breaker opened: calls to its dependency are rejected for a while");
        }
        Event::StateTransition { from, to } => {
            tracing::info!(breaker, %from, %to, "a circuit breaker changed");
        }
        Event::FailureRateExceeded { rate } => {
            tracing::warn!(breaker, rate, "too many calls to a dependency fail");
        }
        Event::SlowCallRateExceeded { rate } => {
            tracing::warn!(breaker, rate, "too many calls to a dependency are slow");
        }
        Event::Reset
        | Event::Success { .. }
        | Event::Error { .. }
        | Event::IgnoredError
        | Event::NotPermitted => {}
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use domain::concert::ConcertId;
    use domain::schedule::OpenDate;
    use domain::{PortError, Timestamp};

    use super::*;
    use crate::config::ConfigDuration;

    /// As slow as possible without counting as slow.
    struct Busy;

    #[async_trait]
    impl ScheduleBook for Busy {
        async fn open_dates(
            &self,
            _: ConcertId,
            _: Timestamp,
        ) -> Result<Option<Vec<OpenDate>>, PortError> {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(None)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_in_the_bulkhead_does_not_count_as_a_slow_database() {
        let (mut config, registry) = (Config::default(), Registry::default());
        config.limits.dates.concurrent = 1;
        config.breaker.catalog.slow_call = ConfigDuration::millis(400);
        let guards = CatalogLayers::new(&config, &registry).unwrap();
        let dates = protected_dates(&config, Arc::new(Busy), &guards, None, &registry);
        let request = || dates.open_dates(ConcertId::new(1).unwrap(), Timestamp::UNIX_EPOCH);
        let answers = tokio::join!(request(), request(), request());
        assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok());
        let calls = registry.breakers()[0].snapshot().calls;
        assert_eq!((calls.successful, calls.slow_successful), (3, 0));
    }
}
