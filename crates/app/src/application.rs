//! The whole service: built from a configuration, run until stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{
    BuildInfo, DependencyHealth, HttpSettings, Lifecycle, Listener, MetricsText, NodeReadiness,
    Ops, Phase, RecentFailures, RequestObserver, RequestTelemetry, listen_ops, listen_public,
};
use decorators::registry::Registry;
use telemetry::Instruments;
use telemetry::metrics::Scrape;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapter_set::Adapters;
use crate::config::Config;
use crate::metrics::Requests;
use crate::start_error::StartError;
use crate::wire_use_cases::{self, UseCases};
use crate::{
    admission_loop, file_descriptors, health_check_loop, invalidation_loop, metrics,
    node_readiness, wiring,
};

/// A connection accepted just before the listener stops accepting has this long to send its
/// request, unless the drain delay is shorter.
const LAST_COMERS: Duration = Duration::from_millis(250);

/// The service, bound to its addresses and ready to run. Build and run it inside a tokio runtime.
pub struct Application {
    public: Listener,
    ops: Listener,
    use_cases: UseCases,
    lifecycle: Lifecycle,
    dependency_health: DependencyHealth,
    node: NodeReadiness,
    refresh: Duration,
    invalidation_interval: Duration,
    check_every: Duration,
    drain_delay: Duration,
}

impl Application {
    /// Wires the adapters to the use cases and binds both listeners.
    pub(crate) async fn build(
        config: &Config,
        instruments: &Instruments,
        adapters: Adapters,
    ) -> Result<Self, StartError> {
        config.check()?;
        let connections = file_descriptors::connections(config)?;
        let meters = &instruments.meters;
        let registry = Registry::default();
        let clocks = wiring::clocks(adapters.clock.clone());
        let (use_cases, api) =
            wire_use_cases::build(config, adapters, &clocks, meters, &registry).await?;
        // A node that cannot issue numbers yet would refuse its first users.
        admission_loop::get_ready(&use_cases.queue, &use_cases.waits, config.queue.refresh.0).await;
        let (lifecycle, dependency_health) = (Lifecycle::default(), DependencyHealth::default());
        let failures = RecentFailures::keeping(
            config.telemetry.failures_kept as usize,
            Arc::clone(&clocks.wall),
        );
        let build_info = build_info(config)?;
        metrics::watch_facts(meters, &lifecycle, &build_info.config_hash);
        metrics::watch_protection(meters, &registry);
        metrics::watch_caches(meters, &registry.caches());
        let names =
            use_cases.dependencies.iter().map(|watched| watched.dependency.name()).collect();
        metrics::watch_dependency(meters, names, &dependency_health);
        let http = HttpSettings { max_connections: connections.public, ..config.http.settings() };
        let ops =
            HttpSettings { max_connections: connections.ops, ..config.ops.settings(&config.http) };
        let node = NodeReadiness::new(
            dependency_health.clone(),
            use_cases.needed.clone(),
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
            use_cases,
            lifecycle,
            dependency_health,
            node,
            refresh: config.queue.refresh.0,
            invalidation_interval: config.cache.invalidation_interval.0,
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
        let queue = self.use_cases.queue;
        let waits = self.use_cases.waits;
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
        for cache in self.use_cases.caches {
            parts.spawn(endless(invalidation_loop::keep(
                cache,
                self.invalidation_interval,
                stop_loops.clone(),
            )));
        }
        for watched in self.use_cases.dependencies {
            let checks = health_check_loop::keep_checking(
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

type Ended = Result<io::Result<()>, tokio::task::JoinError>;

/// A part that ends before shutdown has failed, even if it returned `Ok`.
fn ended_by_itself(ended: Ended) -> StartError {
    StartError::Ended(match ended {
        Ok(Ok(())) => io::Error::other("it stopped before shutdown"),
        Ok(Err(error)) => error,
        Err(error) => io::Error::other(error),
    })
}
