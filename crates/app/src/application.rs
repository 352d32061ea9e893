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
use adapter_postgres::SetupError;
use adapter_redis::Unsafe;
use adapter_token::InvalidKey;
use decorators::cache::AnyCache;
use domain::queue::{QueueParts, QueueService};
use domain::schedule::ScheduleService;
use telemetry::Instruments;
use telemetry::metrics::{Meters, Scrape};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::checkup::Watched;
use crate::config::{CatalogStore, Config, ConfigError};
use crate::descriptors::{self, TooFewDescriptors};
use crate::metrics::{Requests, Waits};
use crate::wiring::{self, Catalogue, CatalogueGuards, LineStore};
use crate::{checkup, hearing, keeper, metrics, node_readiness};

/// Why the service did not start, or stopped by itself; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database can never serve this program as it is.
    #[error(transparent)]
    Database(#[from] SetupError),
    /// The Redis of the line would lose places by itself.
    #[error(transparent)]
    UnsafeRedis(#[from] Unsafe),
    /// The process may not have open what the configuration needs.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// No token key could be made.
    #[error("no token key could be made: {0}")]
    NoKey(InvalidKey),
    /// A listener cannot be bound.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The key it came from.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A mistake of ours.
    #[error("miswired: {0}")]
    Miswired(&'static str),
    /// A listener or one of the loops ended by itself.
    #[error("a part of the service ended by itself: {0}")]
    Ended(io::Error),
}

impl StartError {
    /// [`Config::needs_database`] and the wiring disagree, which is a mistake of ours.
    pub(crate) const NO_DATABASE: Self =
        Self::Miswired("a store needs the database, and it was not opened");
}

/// How long a connection made just before the door closed has for its request, unless there is no drain delay at all.
const LAST_COMERS: Duration = Duration::from_millis(250);

/// The service, bound to its addresses and ready to run. Must be built and run inside a tokio runtime.
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

/// What the service consists of besides its listeners.
struct Parts {
    queue: Arc<QueueService>,
    waits: Waits,
    dependencies: Vec<Watched>,
    /// Names of the dependencies without which visitors are refused.
    needed: Vec<&'static str>,
    caches: Vec<Arc<dyn AnyCache>>,
}

impl Application {
    /// Wires adapters to use cases and binds both listeners. A database that cannot be reached is waited for no longer
    /// than its connect limit, and then done without.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config, instruments: &Instruments) -> Result<Self, StartError> {
        config.check()?;
        let connections = descriptors::connections(config)?;
        let meters = &instruments.meters;
        let mut protection = Protection::default();
        let (parts, api) = use_cases(config, meters, &mut protection).await?;
        // The first people to come find a node that can serve them.
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

    /// Where the public routes are.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where the operations routes are.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops.address()
    }

    /// Serves until `stop` is ready, then drains: readiness goes false and answers close their connections, after the
    /// drain delay the public listener closes, requests under way finish, and the operations listener goes last.
    ///
    /// # Errors
    /// [`StartError::Ended`] when a listener or one of the loops ended by itself.
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
        // The public listener enters the serving phase before it accepts a connection. It is run
        // first, so that the operations listener says "started" from its first answer on.
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
                tracing::warn!(end = ?part, "a part of the service ended badly");
            }
        }
        tracing::info!("stopped");
        ended
    }
}

/// A loop as a part like a listener: it ends when told to, and never badly.
async fn endless(steps: impl Future<Output = ()>) -> io::Result<()> {
    steps.await;
    Ok(())
}

/// Which program this is.
fn facts(config: &Config) -> Result<Facts, StartError> {
    let config_hash =
        config.hash().map_err(|_| StartError::Miswired("the configuration cannot be written"))?;
    Ok(Facts { version: env!("CARGO_PKG_VERSION"), config_hash })
}

fn text_of(scrape: Scrape) -> MetricsText {
    Box::new(move || scrape.text())
}

/// Who hears of requests; nobody where nothing is made of it.
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
    // Without the level that nodes share each node asks the database by itself.
    let needed = [&line_dependency, &database_dependency].into_iter().flatten();
    let needed = needed.map(|dependency| dependency.name()).collect();
    // A catalogue in memory has a breaker too, which says nothing about the database.
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

/// A part that ends before it was told to has failed, whatever it says.
fn ended_by_itself(ended: Ended) -> StartError {
    StartError::Ended(match ended {
        Ok(Ok(())) => io::Error::other("it stopped unasked"),
        Ok(Err(error)) => error,
        Err(error) => io::Error::other(error),
    })
}
