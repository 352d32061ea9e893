//! The whole service: built from a configuration, run until stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    Api, ConcertDates, ConcertPages, DateSource, Facts, Failures, HttpSettings, Lifecycle,
    Listener, MetricsText, NodeReadiness, Ops, Outages, Overload, PageSource, Phase, Protection,
    RequestObserver, Watch, listen_ops, listen_public,
};
use decorators::cache::AnyCache;
use domain::queue::{QueueParts, QueueService};
use domain::schedule::ScheduleService;
use telemetry::Instruments;
use telemetry::metrics::{Meters, Scrape};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::checkup::Watched;
use crate::config::{CatalogStore, Config};
use crate::metrics::{Requests, Waits};
use crate::start_error::StartError;
use crate::wiring::{self, Catalogue, CatalogueGuards, LineStore};
use crate::{checkup, descriptors, hearing, keeper, metrics, node_readiness};

/// A connection accepted just before the listener stops accepting has this long to send its
/// request, unless the drain delay is shorter.
const LAST_COMERS: Duration = Duration::from_millis(250);

/// The service, bound to its addresses and ready to run. Build and run it inside a tokio runtime.
pub struct Application {
    public: Listener,
    ops: Listener,
    parts: Parts,
    lifecycle: Lifecycle,
    outages: Outages,
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
        let mut protection = Protection::default();
        let (parts, api) = use_cases(config, meters, &mut protection).await?;
        // A node that cannot issue numbers yet would refuse its first users.
        keeper::get_ready(&parts.queue, &parts.waits, config.queue.refresh.0).await;
        let (lifecycle, outages) = (Lifecycle::default(), Outages::default());
        let failures =
            Failures::keeping(config.telemetry.failures_kept as usize, wiring::wall_clock());
        let facts = facts(config)?;
        metrics::watch_facts(meters, &lifecycle, &facts.config_hash);
        metrics::watch_protection(meters, &protection);
        metrics::watch_caches(meters, &protection.caches);
        let names = parts.dependencies.iter().map(|watched| watched.dependency.name()).collect();
        metrics::watch_dependency(meters, names, &outages);
        let http = HttpSettings { max_connections: connections.public, ..config.http.settings() };
        let ops =
            HttpSettings { max_connections: connections.ops, ..config.ops.settings(&config.http) };
        let node = NodeReadiness::new(
            outages.clone(),
            parts.needed.clone(),
            config.ops.cut_off_after.0,
            wiring::steady_clock(),
        );
        let watched = Ops {
            lifecycle: lifecycle.clone(),
            outages: outages.clone(),
            node: node.clone(),
            protection,
            failures: failures.clone(),
            facts,
            metrics: instruments.scrape.clone().map(text_of),
        };
        let watch = Watch {
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
            outages,
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
        parts.spawn(endless(keeper::keep(
            Arc::clone(&queue),
            waits,
            self.refresh,
            stop_loops.clone(),
        )));
        parts.spawn(endless(keeper::keep_checkpoint(queue, self.refresh, stop_loops.clone())));
        for cache in self.parts.caches {
            parts.spawn(endless(hearing::keep(cache, self.hear_every, stop_loops.clone())));
        }
        for watched in self.parts.dependencies {
            let checks = checkup::look_after(
                watched,
                self.check_every,
                self.outages.clone(),
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
fn facts(config: &Config) -> Result<Facts, StartError> {
    let config_hash =
        config.hash().map_err(|_| StartError::Miswired("the configuration cannot be written"))?;
    Ok(Facts { version: env!("CARGO_PKG_VERSION"), config_hash })
}

fn text_of(scrape: Scrape) -> MetricsText {
    Box::new(move || scrape.text())
}

/// The observer of requests; `None` if neither metrics nor spans are enabled.
fn observer(instruments: &Instruments) -> Option<Arc<dyn RequestObserver>> {
    let Instruments { meters, spans, .. } = instruments;
    let heard = || Arc::new(Requests::new(meters, spans.clone())) as Arc<dyn RequestObserver>;
    (meters.is_on() || spans.is_on()).then(heard)
}

async fn use_cases(
    config: &Config,
    meters: &Meters,
    shown: &mut Protection,
) -> Result<(Parts, Api), StartError> {
    let (wall, steady) = (wiring::wall_clock(), wiring::steady_clock());
    let policy = config.queue.policy.policy()?;
    let database = wiring::database(config, meters).await?;
    let line = wiring::queue_store(config, policy, Arc::clone(&steady), meters).await?;
    let LineStore { store, system, dependency: line_dependency } = line;
    let name = config.queue.queue_id()?;
    let keys = wiring::token_keys(&config.queue)?;
    let queue = Arc::new(QueueService::new(QueueParts {
        queue: name,
        policy,
        pacing: config.queue.poll.pacing()?,
        token_ttl: config.queue.token_ttl.0,
        stale_after: config.queue.stale_after.0,
        store: wiring::protected_line(config, store, metrics::observer(meters, system), shown)?,
        sealer: wiring::token_sealer(&keys),
        reserve: wiring::reserve(config, database.as_ref(), meters)?,
        clock: Arc::clone(&steady),
    }));
    let Catalogue { concerts, schedules, system } =
        wiring::catalogue(config, database.as_ref(), wall.as_ref())?;
    let (guards, asked) = (CatalogueGuards::new(config, shown)?, metrics::observer(meters, system));
    let concerts = wiring::protected_concerts(config, concerts, &guards, asked.clone(), shown);
    let schedules = wiring::protected_dates(config, schedules, &guards, asked, shown);
    let puzzles = wiring::join_puzzles(&config.queue, &keys, Arc::clone(&steady))?;
    metrics::watch_puzzles(meters, &puzzles);
    let level = wiring::shared_level(config, steady, meters, shown)?;
    let pages = PageSource::new(concerts, config.concerts.page_size()?);
    let dates = DateSource::new(Arc::new(ScheduleService::new(schedules, wall)));
    let (page_settings, date_settings) =
        (config.cache.concerts.settings(), config.cache.dates.settings());
    let overload = Overload::new(&config.overload.settings());
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
