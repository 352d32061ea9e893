//! The whole service: built from a configuration, run until stopped.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    Api, BuildInfo, ConcertDates, ConcertPages, DateSource, DependencyHealth, HttpSettings,
    Lifecycle, Listener, LoadShedder, MetricsText, NodeReadiness, Ops, PageSource, Phase,
    RecentFailures, RequestObserver, RequestTelemetry, listen_ops, listen_public,
};
use decorators::cache::AnyCache;
use decorators::registry::Registry;
use domain::HealthCheck;
use domain::queue::{QueueService, QueueServiceDeps};
use domain::schedule::ScheduleService;
use telemetry::Instruments;
use telemetry::metrics::{Meters, Scrape};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapters::{Adapter, Adapters};
use crate::config::Config;
use crate::health_check_loop::Watched;
use crate::metrics::{Requests, Waits};
use crate::start_error::StartError;
use crate::wiring::{self, Catalog, CatalogLayers, Clocks, Signers};
use crate::{
    admission_loop, descriptors, health_check_loop, invalidation_loop, metrics, node_readiness,
};

/// A connection accepted just before the listener stops accepting has this long to send its
/// request, unless the drain delay is shorter.
const LAST_COMERS: Duration = Duration::from_millis(250);

/// The service, bound to its addresses and ready to run. Build and run it inside a tokio runtime.
pub struct Application {
    public: Listener,
    ops: Listener,
    parts: Parts,
    lifecycle: Lifecycle,
    dependency_health: DependencyHealth,
    node: NodeReadiness,
    refresh: Duration,
    hear_every: Duration,
    check_every: Duration,
    drain_delay: Duration,
}

/// The service without its listeners.
struct Parts {
    queue: Arc<QueueService>,
    waits: Waits,
    dependencies: Vec<Watched>,
    /// Names of the dependencies without which users are refused.
    needed: Vec<&'static str>,
    caches: Vec<Arc<dyn AnyCache>>,
}

impl Application {
    /// Wires the adapters to the use cases and binds both listeners.
    pub(crate) async fn build(
        config: &Config,
        instruments: &Instruments,
        adapters: Adapters,
    ) -> Result<Self, StartError> {
        config.check()?;
        let connections = descriptors::connections(config)?;
        let meters = &instruments.meters;
        let registry = Registry::default();
        let clocks = wiring::clocks(adapters.clock.clone());
        let (parts, api) = use_cases(config, adapters, &clocks, meters, &registry).await?;
        // A node that cannot issue numbers yet would refuse its first users.
        admission_loop::get_ready(&parts.queue, &parts.waits, config.queue.refresh.0).await;
        let (lifecycle, dependency_health) = (Lifecycle::default(), DependencyHealth::default());
        let failures = RecentFailures::keeping(
            config.telemetry.failures_kept as usize,
            Arc::clone(&clocks.wall),
        );
        let build_info = build_info(config)?;
        metrics::watch_facts(meters, &lifecycle, &build_info.config_hash);
        metrics::watch_protection(meters, &registry);
        metrics::watch_caches(meters, &registry.caches());
        let names = parts.dependencies.iter().map(|watched| watched.dependency.name()).collect();
        metrics::watch_dependency(meters, names, &dependency_health);
        let http = HttpSettings { max_connections: connections.public, ..config.http.settings() };
        let ops =
            HttpSettings { max_connections: connections.ops, ..config.ops.settings(&config.http) };
        let node = NodeReadiness::new(
            dependency_health.clone(),
            parts.needed.clone(),
            config.ops.cut_off_after.0,
            wiring::clocks(None).steady,
        );
        let watched = Ops {
            lifecycle: lifecycle.clone(),
            dependency_health: dependency_health.clone(),
            node: node.clone(),
            layers: registry,
            overload: api.overload.clone(),
            failures: failures.clone(),
            build_info,
            metrics: instruments.scrape.clone().map(text_of),
        };
        let watch = RequestTelemetry {
            observer: observer(instruments),
            failures,
            log_sample: config.telemetry.log_sample,
        };
        let refused = |address, key| move |source| StartError::Listen { address, key, source };
        let public = listen_public(&http, api, lifecycle.clone(), watch);
        let public = public.map_err(refused(http.bind, "http.bind"))?;
        let ops = listen_ops(&ops, watched).map_err(refused(ops.bind, "ops.bind"))?;
        metrics::watch_connections(meters, &[public.connections(), ops.connections()]);
        Ok(Self {
            public,
            ops,
            parts,
            lifecycle,
            dependency_health,
            node,
            refresh: config.queue.refresh.0,
            hear_every: config.cache.hear_every.0,
            check_every: config.ops.check_every.0,
            drain_delay: config.http.drain_delay.0,
        })
    }

    /// The address of the public routes.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address()
    }

    /// The address of the operations routes.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops.address()
    }

    /// Serves until `stop` completes, then drains. Readiness turns false and responses close their
    /// connections; after the drain delay the public listener closes; in-flight requests finish;
    /// the operations listener closes last.
    ///
    /// # Errors
    /// [`StartError::Ended`] if a listener or a loop ended before `stop` completed.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let (stop_public, stop_ops) = (self.public.stopper(), self.ops.stopper());
        let stop_loops = CancellationToken::new();
        let mut parts = JoinSet::new();
        let queue = self.parts.queue;
        let waits = self.parts.waits;
        parts.spawn(endless(admission_loop::keep(
            Arc::clone(&queue),
            waits,
            self.refresh,
            stop_loops.clone(),
        )));
        parts.spawn(endless(admission_loop::keep_checkpoint(
            queue,
            self.refresh,
            stop_loops.clone(),
        )));
        for cache in self.parts.caches {
            parts.spawn(endless(invalidation_loop::keep(
                cache,
                self.hear_every,
                stop_loops.clone(),
            )));
        }
        for watched in self.parts.dependencies {
            let checks = health_check_loop::look_after(
                watched,
                self.check_every,
                self.dependency_health.clone(),
                stop_loops.clone(),
            );
            parts.spawn(endless(checks));
        }
        parts.spawn(endless(node_readiness::keep(self.node, stop_loops.clone())));
        // The public listener enters the serving phase before it accepts a connection. It starts
        // first so that the operations listener reports "started" in its first response.
        parts.spawn(self.public.run());
        parts.spawn(self.ops.run());
        tracing::info!("serving");

        let ended = tokio::select! {
            () = stop => Ok(()),
            Some(ended) = parts.join_next() => Err(ended_by_itself(ended)),
        };

        self.lifecycle.enter(Phase::Draining);
        tracing::info!("draining");
        if ended.is_ok() {
            tokio::time::sleep(self.drain_delay).await;
        }
        stop_public.stop(self.drain_delay.min(LAST_COMERS)).await;
        stop_loops.cancel();
        stop_ops.stop(Duration::ZERO).await;
        while let Some(part) = parts.join_next().await {
            if !matches!(part, Ok(Ok(()))) {
                tracing::warn!(end = ?part, "a part of the service failed while stopping");
            }
        }
        tracing::info!("stopped");
        ended
    }
}

/// Gives a loop the return type of a listener; a loop cannot fail.
async fn endless(steps: impl Future<Output = ()>) -> io::Result<()> {
    steps.await;
    Ok(())
}

/// The version and the hash of the configuration.
fn build_info(config: &Config) -> Result<BuildInfo, StartError> {
    let config_hash =
        config.hash().map_err(|_| StartError::Miswired("the configuration cannot be written"))?;
    Ok(BuildInfo { version: env!("CARGO_PKG_VERSION"), config_hash })
}

fn text_of(scrape: Scrape) -> MetricsText {
    Box::new(move || scrape.text())
}

/// The observer of requests; `None` if neither metrics nor spans are enabled.
fn observer(instruments: &Instruments) -> Option<Arc<dyn RequestObserver>> {
    let Instruments { meters, spans, .. } = instruments;
    let observer = || Arc::new(Requests::new(meters, spans.clone())) as Arc<dyn RequestObserver>;
    (meters.is_on() || spans.is_on()).then(observer)
}

async fn use_cases(
    config: &Config,
    adapters: Adapters,
    clocks: &Clocks,
    meters: &Meters,
    registry: &Registry,
) -> Result<(Parts, Api), StartError> {
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
    metrics::watch_line(meters, &queue, &name.to_string());
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
    let of_the_database: &[&str] = if uses.catalog { &["catalog"] } else { &[] };
    let [concert_health, schedule_health] = catalog_health;
    let needed = [
        (queue_health, &["joining", "queue"][..]),
        (database.map(|database| database.dependency), of_the_database),
        (checkpoint_health, &[]),
        (concert_health, &["catalog"]),
        (schedule_health, &["catalog"]),
    ];
    let names = needed.iter().filter_map(|(check, _)| Some(check.as_ref()?.name())).collect();
    // Without the shared cache each node reads the database directly, so the cache is not needed.
    let checks = needed.into_iter().chain([(level.health, &["cache"][..])]);
    let dependencies = watched(checks, registry);
    let caches = registry.caches();
    Ok((Parts { queue, waits, dependencies, needed: names, caches }, api))
}

type Check = Arc<dyn HealthCheck>;

/// The health checks that exist, each with the breakers in front of its dependency. Adapters that
/// share one dependency may each bring its check; it runs once.
fn watched<'n>(
    checks: impl Iterator<Item = (Option<Check>, &'n [&'n str])>,
    registry: &Registry,
) -> Vec<Watched> {
    let mut named: BTreeMap<&'static str, (Check, Vec<&str>)> = BTreeMap::new();
    for (check, breakers) in checks {
        if let Some(check) = check {
            let (_, all) = named.entry(check.name()).or_insert((check, Vec::new()));
            all.extend_from_slice(breakers);
        }
    }
    let watched = |(dependency, breakers): (Check, Vec<&str>)| Watched {
        dependency,
        breakers: registry.breakers_named(&breakers),
    };
    named.into_values().map(watched).collect()
}

type Ended = Result<io::Result<()>, tokio::task::JoinError>;

/// A part that ends before shutdown has failed, even if it returned `Ok`.
fn ended_by_itself(ended: Ended) -> StartError {
    StartError::Ended(match ended {
        Ok(Ok(())) => io::Error::other("it stopped before shutdown"),
        Ok(Err(error)) => error,
        Err(error) => io::Error::other(error),
    })
}
