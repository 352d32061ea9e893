//! The whole service: built from a configuration, run until stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    Api, BuildInfo, ConcertDates, ConcertPages, DateSource, DependencyHealth, HttpSettings,
    Lifecycle, Listener, LoadShedder, MetricsText, NodeReadiness, Ops, PageSource, Phase,
    RecentFailures, RequestObserver, RequestTelemetry, ResilienceStatus, listen_ops, listen_public,
};
use decorators::cache::AnyCache;
use domain::queue::{QueueService, QueueServiceDeps};
use domain::schedule::ScheduleService;
use telemetry::Instruments;
use telemetry::metrics::{Meters, Scrape};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{CatalogStore, Config};
use crate::health_check_loop::Watched;
use crate::metrics::{Requests, Waits};
use crate::start_error::StartError;
use crate::wiring::{self, Catalog, CatalogLayers, StoreOfQueue};
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
    /// Wires adapters to use cases and binds both listeners. If the database is unreachable,
    /// startup waits at most its connect timeout and then continues without it.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config, instruments: &Instruments) -> Result<Self, StartError> {
        config.check()?;
        let connections = descriptors::connections(config)?;
        let meters = &instruments.meters;
        let mut resilience = ResilienceStatus::default();
        let (parts, api) = use_cases(config, meters, &mut resilience).await?;
        // A node that cannot issue numbers yet would refuse its first users.
        admission_loop::get_ready(&parts.queue, &parts.waits, config.queue.refresh.0).await;
        let (lifecycle, dependency_health) = (Lifecycle::default(), DependencyHealth::default());
        let failures =
            RecentFailures::keeping(config.telemetry.failures_kept as usize, wiring::wall_clock());
        let build_info = build_info(config)?;
        metrics::watch_facts(meters, &lifecycle, &build_info.config_hash);
        metrics::watch_protection(meters, &resilience);
        metrics::watch_caches(meters, &resilience.caches);
        let names = parts.dependencies.iter().map(|watched| watched.dependency.name()).collect();
        metrics::watch_dependency(meters, names, &dependency_health);
        let http = HttpSettings { max_connections: connections.public, ..config.http.settings() };
        let ops =
            HttpSettings { max_connections: connections.ops, ..config.ops.settings(&config.http) };
        let node = NodeReadiness::new(
            dependency_health.clone(),
            parts.needed.clone(),
            config.ops.cut_off_after.0,
            wiring::steady_clock(),
        );
        let watched = Ops {
            lifecycle: lifecycle.clone(),
            dependency_health: dependency_health.clone(),
            node: node.clone(),
            resilience,
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
    let received = || Arc::new(Requests::new(meters, spans.clone())) as Arc<dyn RequestObserver>;
    (meters.is_on() || spans.is_on()).then(received)
}

async fn use_cases(
    config: &Config,
    meters: &Meters,
    shown: &mut ResilienceStatus,
) -> Result<(Parts, Api), StartError> {
    let (wall, steady) = (wiring::wall_clock(), wiring::steady_clock());
    let policy = config.queue.policy.policy()?;
    let database = wiring::database(config, meters).await?;
    let line = wiring::queue_store(config, policy, Arc::clone(&steady), meters).await?;
    let StoreOfQueue { store, system, dependency: line_dependency } = line;
    let name = config.queue.queue_id()?;
    let keys = wiring::token_keys(&config.queue)?;
    let queue = Arc::new(QueueService::new(QueueServiceDeps {
        queue: name,
        policy,
        poll_interval: config.queue.poll.poll_interval()?,
        token_ttl: config.queue.token_ttl.0,
        stale_after: config.queue.stale_after.0,
        store: wiring::protected_line(config, store, metrics::observer(meters, system), shown)?,
        signer: wiring::token_signer(&keys),
        reserve: wiring::reserve(config, database.as_ref(), meters)?,
        clock: Arc::clone(&steady),
    }));
    let Catalog { concerts, schedules, system } =
        wiring::catalog(config, database.as_ref(), wall.as_ref())?;
    let (guards, requested) =
        (CatalogLayers::new(config, shown)?, metrics::observer(meters, system));
    let concerts = wiring::protected_concerts(config, concerts, &guards, requested.clone(), shown);
    let schedules = wiring::protected_dates(config, schedules, &guards, requested, shown);
    let puzzles = wiring::join_puzzles(&config.queue, &keys, Arc::clone(&steady))?;
    metrics::watch_puzzles(meters, &puzzles);
    let level = wiring::shared_level(config, steady, meters, shown)?;
    let pages = PageSource::new(concerts, config.concerts.page_size()?);
    let dates = DateSource::new(Arc::new(ScheduleService::new(schedules, wall)));
    let (page_settings, date_settings) =
        (config.cache.concerts.settings(), config.cache.dates.settings());
    let overload = LoadShedder::new(&config.overload.settings());
    shown.overload = Some(overload.clone());
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
            shown,
        ))),
        dates: Arc::new(ConcertDates::new(wiring::cached(
            config,
            dates,
            date_settings,
            &level,
            shown,
        ))),
        overload,
        puzzles,
    };
    let database_dependency = database.map(|database| database.dependency);
    // Without the shared cache each node reads the database directly, so the cache is not needed.
    let needed = [&line_dependency, &database_dependency].into_iter().flatten();
    let needed = needed.map(|dependency| dependency.name()).collect();
    // A catalog in memory has a breaker too, which says nothing about the database.
    let of_the_database: &[&str] =
        if config.catalog.store == CatalogStore::Postgres { &["catalog"] } else { &[] };
    let dependencies = [
        (line_dependency, &["joining", "queue"][..]),
        (database_dependency, of_the_database),
        (level.dependency, &["cache"]),
    ];
    let dependencies = dependencies.into_iter().filter_map(|(dependency, breakers)| {
        Some(Watched { dependency: dependency?, breakers: shown.breakers_named(breakers) })
    });
    let dependencies = dependencies.collect();
    Ok((Parts { queue, waits, dependencies, needed, caches: shown.caches.clone() }, api))
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
