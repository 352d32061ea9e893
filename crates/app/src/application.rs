//! The whole service: built from a configuration, run until stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::{Api, ConcertPages, Lifecycle, Listener, Phase, listen_ops, listen_public};
use adapter_token::InvalidKey;
use domain::queue::{QueueParts, QueueService};
use domain::schedule::ScheduleService;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError};
use crate::keeper;
use crate::wiring::{self, Catalogue};

/// Why the service did not start, or stopped by itself; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
    /// A listener or the keeper of the line ended by itself.
    #[error("a part of the service ended by itself: {0}")]
    Ended(io::Error),
}

/// How long a connection made just before the door closed has for its request, unless there is no drain delay at all.
const LAST_COMERS: Duration = Duration::from_millis(250);

/// The service, bound to its addresses and ready to run. Must be built and run inside a tokio runtime.
pub struct Application {
    public: Listener,
    ops: Listener,
    queue: Arc<QueueService>,
    lifecycle: Lifecycle,
    refresh: Duration,
    drain_delay: Duration,
}

impl Application {
    /// Wires adapters to use cases and binds both listeners.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn build(config: &Config) -> Result<Self, StartError> {
        config.check()?;
        let (queue, api) = use_cases(config)?;
        let lifecycle = Lifecycle::default();
        let (http, ops) = (config.http.settings(), config.ops.settings(&config.http));
        let refused = |address, key| move |source| StartError::Listen { address, key, source };
        Ok(Self {
            public: listen_public(&http, api, lifecycle.clone()).map_err(refused(http.bind, "http.bind"))?,
            ops: listen_ops(&ops, lifecycle.clone()).map_err(refused(ops.bind, "ops.bind"))?,
            queue,
            lifecycle,
            refresh: config.queue.refresh.0,
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
    /// [`StartError::Ended`] when a listener or the keeper of the line ended by itself.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let (stop_public, stop_ops) = (self.public.stopper(), self.ops.stopper());
        let stop_keeper = CancellationToken::new();
        let keeper = keeper::keep(self.queue, self.refresh, stop_keeper.clone());
        let mut parts = JoinSet::new();
        parts.spawn(self.public.run());
        parts.spawn(self.ops.run());
        parts.spawn(async {
            keeper.await;
            Ok(())
        });
        self.lifecycle.enter(Phase::Serving);
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
        stop_keeper.cancel();
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

fn use_cases(config: &Config) -> Result<(Arc<QueueService>, Api), StartError> {
    let (wall, steady) = (wiring::wall_clock(), wiring::steady_clock());
    let policy = config.queue.policy.policy()?;
    let queue = Arc::new(QueueService::new(QueueParts {
        queue: config.queue.queue_id()?,
        policy,
        pacing: config.queue.poll.pacing()?,
        token_ttl: config.queue.token_ttl.0,
        store: wiring::queue_store(config.queue.store, policy, Arc::clone(&steady)),
        sealer: wiring::token_sealer(&config.queue)?,
        clock: steady,
    }));
    let Catalogue { concerts, schedules } = wiring::catalogue(&config.catalog, wall.as_ref());
    let api = Api {
        queue: Arc::clone(&queue),
        concerts: Arc::new(ConcertPages::new(concerts, &config.concerts.settings()?)),
        schedules: Arc::new(ScheduleService::new(schedules, wall)),
    };
    Ok((queue, api))
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
