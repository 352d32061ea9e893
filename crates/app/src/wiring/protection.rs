//! What stands between the use cases and the adapters: one list of layers a port.

use std::sync::Arc;
use std::time::Duration;

use adapter_http::Protection;
use decorators::breaker::{Breaker, Event, State};
use decorators::breaking::Breaking;
use decorators::bulkhead::Bulkhead;
use decorators::cache::CacheStore;
use decorators::guard::Stack;
use decorators::observed::Observer;
use decorators::queue::QueueBreakers;
use decorators::retry::Retry;
use decorators::time_limit::TimeLimit;
use domain::concert::ConcertCatalog;
use domain::queue::QueueStore;
use domain::schedule::ScheduleBook;

use crate::application::StartError;
use crate::config::{BreakerSection, Config, LimitSection};

/// The catalogue's two ports ask one dependency: they share its breaker and its retries.
pub(crate) struct CatalogueGuards {
    breaker: Option<Arc<Breaking>>,
    retry: Option<Arc<Retry>>,
}

impl CatalogueGuards {
    pub(crate) fn new(config: &Config, shown: &mut Protection) -> Result<Self, StartError> {
        let retry = config.retry.settings().map(|settings| Arc::new(Retry::new(settings)));
        shown.retry.clone_from(&retry);
        Ok(Self { breaker: breaker("catalog", &config.breaker.catalog, shown)?, retry })
    }
}

/// Each list begins with the adapter; callers see the last line first.
pub(crate) fn protected_concerts(
    config: &Config,
    adapter: Arc<dyn ConcertCatalog>,
    guards: &CatalogueGuards,
    observer: Option<Arc<dyn Observer>>,
    shown: &mut Protection,
) -> Arc<dyn ConcertCatalog> {
    let limit = &config.limits.concerts;
    Stack::on(adapter)
        // A page that does not come is a failure the breaker can count.
        .with(time_limit("concerts", limit))
        // What the breaker sees is what is measured.
        .observed(observer)
        // A database that fails is left alone for a while; pages go on from the cache.
        .with(guards.breaker.clone())
        // The list cannot take all connections from the dates. Outside the breaker, to which a wait for our own limit would be a
        // slow database.
        .with(bulkhead("concerts", limit, shown))
        // A connection that a failover closed is no reason to fail; asked again through the breaker, so that it counts.
        .with(guards.retry.clone())
        .port()
}

/// As for the concerts.
pub(crate) fn protected_dates(
    config: &Config,
    adapter: Arc<dyn ScheduleBook>,
    guards: &CatalogueGuards,
    observer: Option<Arc<dyn Observer>>,
    shown: &mut Protection,
) -> Arc<dyn ScheduleBook> {
    let limit = &config.limits.dates;
    Stack::on(adapter)
        .with(time_limit("dates", limit))
        .observed(observer)
        .with(guards.breaker.clone())
        .with(bulkhead("dates", limit, shown))
        .with(guards.retry.clone())
        .port()
}

/// No retry: who asks asks again, and a step whose outcome is unknown is not guessed at.
pub(crate) fn protected_line(
    config: &Config,
    adapter: Arc<dyn QueueStore>,
    observer: Option<Arc<dyn Observer>>,
    shown: &mut Protection,
) -> Result<Arc<dyn QueueStore>, StartError> {
    let limit = &config.limits.queue;
    let guarded = Stack::on(adapter)
        // Off by default: each of the adapter's waits has a limit, and the request one over all.
        .with(time_limit("queue", limit))
        .observed(observer)
        // While the store is away joins are refused at once, and who waits is told where they are
        // by the node's own view. Joins have a breaker of their own: what they run into is nothing
        // to those who are inside.
        .with_breakers(QueueBreakers {
            joining: breaker("joining", &config.breaker.joining, shown)?,
            places: breaker("queue", &config.breaker.queue, shown)?,
        })
        // Off by default too: the adapter bounds what is under way by itself.
        .with(bulkhead("queue", limit, shown))
        .port();
    Ok(guarded)
}

/// No retry: without the second level there is the source.
pub(crate) fn protected_cache_store(
    config: &Config,
    adapter: Arc<dyn CacheStore>,
    observer: Option<Arc<dyn Observer>>,
    shown: &mut Protection,
) -> Result<Arc<dyn CacheStore>, StartError> {
    let limit = &config.limits.cache;
    let guarded = Stack::on(adapter)
        // What is slower than the source is no cache.
        .with(time_limit("cache", limit))
        .observed(observer)
        // One that is away costs nobody the time to find out.
        .with(breaker("cache", &config.breaker.cache, shown)?)
        // Off by default: the pool bounds what is under way by itself.
        .with(bulkhead("cache", limit, shown))
        .port();
    Ok(guarded)
}

fn bulkhead(
    name: &'static str,
    limit: &LimitSection,
    shown: &mut Protection,
) -> Option<Arc<Bulkhead>> {
    let bulkhead = Arc::new(Bulkhead::new(name, limit.bulkhead()?));
    shown.bulkheads.push(Arc::clone(&bulkhead));
    Some(bulkhead)
}

fn time_limit(name: &'static str, limit: &LimitSection) -> Option<TimeLimit> {
    (!limit.timeout.0.is_zero()).then(|| TimeLimit::new(name, limit.timeout.0))
}

/// A breaker that tells the log when it changes its mind.
fn breaker(
    name: &'static str,
    section: &BreakerSection,
    shown: &mut Protection,
) -> Result<Option<Arc<Breaking>>, StartError> {
    let Some(begins) = section.begins() else { return Ok(None) };
    let wrong = |_| StartError::Miswired("a breaker's settings were not checked");
    let breaker = Breaker::new(section.settings(), fastrand::u64(..)).map_err(wrong)?;
    let breaker = breaker.on_change(Arc::new(move |event| tell(name, event)));
    if begins != State::Closed {
        breaker
            .transition_to(begins, Duration::ZERO)
            .map_err(|_| StartError::Miswired("a breaker's mode"))?;
    }
    let breaking = Arc::new(Breaking::new(name, breaker));
    shown.breakers.push(Arc::clone(&breaking));
    Ok(Some(breaking))
}

fn tell(breaker: &'static str, event: &Event) {
    match event {
        Event::StateTransition { from, to: to @ (State::Open | State::ForcedOpen) } => {
            tracing::warn!(breaker, %from, %to, "a circuit breaker opened: its dependency is not asked for a while");
        }
        Event::StateTransition { from, to } => {
            tracing::info!(breaker, %from, %to, "a circuit breaker changed");
        }
        Event::FailureRateExceeded { rate } => {
            tracing::warn!(breaker, rate, "too many questions to a dependency fail");
        }
        Event::SlowCallRateExceeded { rate } => {
            tracing::warn!(breaker, rate, "too many questions to a dependency are slow");
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
    use crate::config::Span;

    /// Takes as long as it may without being slow.
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
    async fn a_wait_for_our_own_limit_is_no_slow_database() {
        let (mut config, mut shown) = (Config::default(), Protection::default());
        config.limits.dates.concurrent = 1;
        config.breaker.catalog.slow_call = Span::millis(400);
        let guards = CatalogueGuards::new(&config, &mut shown).unwrap();
        let dates = protected_dates(&config, Arc::new(Busy), &guards, None, &mut shown);
        let ask = || dates.open_dates(ConcertId::new(1).unwrap(), Timestamp::UNIX_EPOCH);
        let answers = tokio::join!(ask(), ask(), ask());
        assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok());
        let calls = shown.breakers[0].snapshot().calls;
        assert_eq!((calls.successful, calls.slow_successful), (3, 0));
    }
}
