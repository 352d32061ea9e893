//! The use cases of the domain, built on the adapters and wrapped in their layers.

use std::sync::Arc;

use adapter_http::{Api, ConcertDates, ConcertPages, DateSource, LoadShedder, PageSource};
use decorators::cache::AnyCache;
use decorators::registry::Registry;
use domain::Dependency;
use domain::queue::{QueueService, QueueServiceDeps};
use domain::schedule::ScheduleService;
use telemetry::metrics::Meters;

use crate::adapter_set::{Adapter, Adapters};
use crate::config::Config;
use crate::health_check_loop::Watched;
use crate::metrics::{self, Waits};
use crate::start_error::StartError;
use crate::wiring::{self, Catalog, CatalogLayers, Clocks, Signers};

/// The use cases, and what their loops need.
pub(crate) struct UseCases {
    pub(crate) queue: Arc<QueueService>,
    pub(crate) waits: Waits,
    pub(crate) dependencies: Vec<Watched>,
    /// The dependencies without which users are refused.
    pub(crate) needed: Vec<Dependency>,
    pub(crate) caches: Vec<Arc<dyn AnyCache>>,
}

/// Wires the adapters to the use cases, and these to the routes.
pub(crate) async fn build(
    config: &Config,
    adapters: Adapters,
    clocks: &Clocks,
    meters: &Meters,
    registry: &Registry,
) -> Result<(UseCases, Api), StartError> {
    let Clocks { wall, steady } = clocks;
    let uses = wiring::uses(config, &adapters);
    let Adapters {
        queue_store,
        checkpoint_store,
        concert_catalog,
        schedule_book,
        cache_store,
        token_signer,
        clock: _,
    } = adapters;
    let name = config.queue.queue_id()?;
    let database = wiring::database(config, uses, meters).await?;
    let checkpoints = wiring::checkpoint_store(config, checkpoint_store, database.as_ref())?;
    let checkpoint_health = checkpoints.as_ref().and_then(|adapter| adapter.health.clone());
    let store =
        wiring::queue_store(config, queue_store, checkpoints.is_some(), Arc::clone(steady), meters);
    let Adapter { port: store, system, health: queue_health } = store.await?;
    let Signers { tokens, puzzles } =
        wiring::signers(&config.queue, token_signer, Arc::clone(steady))?;
    let queue = Arc::new(QueueService::new(QueueServiceDeps {
        queue: name,
        policy: config.queue.policy.policy()?,
        poll_interval: config.queue.poll.poll_interval()?,
        token_ttl: config.queue.token_ttl.0,
        stale_after: config.queue.stale_after.0,
        store: wiring::protected_queue(config, store, metrics::observer(meters, system), registry)?,
        signer: tokens,
        reserve: checkpoints.map(|adapter| wiring::reservation(config, adapter, meters)),
        clock: Arc::clone(steady),
    }));
    let catalog =
        wiring::catalog(config, concert_catalog, schedule_book, database.as_ref(), wall.as_ref());
    let Catalog { concerts, schedules } = catalog?;
    let catalog_health = [concerts.health, schedules.health];
    let layers = CatalogLayers::new(config, registry)?;
    let observer = metrics::observer(meters, concerts.system);
    let concerts = wiring::protected_concerts(config, concerts.port, &layers, observer, registry);
    let observer = metrics::observer(meters, schedules.system);
    let schedules = wiring::protected_dates(config, schedules.port, &layers, observer, registry);
    metrics::watch_puzzles(meters, &puzzles);
    let level = wiring::shared_level(config, cache_store, Arc::clone(steady), meters, registry)?;
    let pages = PageSource::new(concerts, config.concerts.page_size()?);
    let dates = DateSource::new(Arc::new(ScheduleService::new(schedules, Arc::clone(wall))));
    let (page_settings, date_settings) =
        (config.cache.concerts.settings(), config.cache.dates.settings());
    let overload = LoadShedder::new(&config.overload.settings());
    metrics::watch_overload(meters, &overload);
    metrics::watch_queue(meters, &queue, &name.to_string());
    let waits = Waits::new(meters, &name.to_string());
    let api = Api {
        queue: Arc::clone(&queue),
        concerts: Arc::new(ConcertPages::new(wiring::cached(
            config,
            pages,
            page_settings,
            &level,
            registry,
        ))),
        dates: Arc::new(ConcertDates::new(wiring::cached(
            config,
            dates,
            date_settings,
            &level,
            registry,
        ))),
        overload,
        puzzles,
        documentation: config.http.docs,
    };
    // A catalog in memory has a breaker too, which says nothing about the database.
    let of_the_database: &[Dependency] = if uses.catalog { &[Dependency::CATALOG] } else { &[] };
    let [concert_health, schedule_health] = catalog_health;
    let needed = [
        (queue_health, &[Dependency::JOINING, Dependency::QUEUE][..]),
        (database.map(|database| database.dependency), of_the_database),
        (checkpoint_health, &[]),
        (concert_health, &[Dependency::CATALOG]),
        (schedule_health, &[Dependency::CATALOG]),
    ];
    let names = needed.iter().filter_map(|(check, _)| Some(check.as_ref()?.name())).collect();
    // Without the shared cache each node reads the database directly, so the cache is not needed.
    let checks = needed.into_iter().chain([(level.health, &[Dependency::CACHE][..])]);
    let dependencies = Watched::all(checks, registry);
    let caches = registry.caches();
    Ok((UseCases { queue, waits, dependencies, needed: names, caches }, api))
}
