//! The Redis that keeps a queue: one task finds its primary, connects, and reconnects.

use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::address::Address;
use crate::error::Failure;
use crate::link::{Came, LinkSettings, Links, Replicas};
use crate::primary::Primary;
use crate::scripts::Script;

/// The primary of one queue. A background task keeps it connected until this is dropped.
pub(crate) struct Redis {
    state: watch::Receiver<State>,
    under_way: Semaphore,
    settings: LinkSettings,
    _stops: DropGuard,
}

#[derive(Clone)]
enum State {
    /// Not connected yet, or the primary has just moved: worth a short wait.
    Seeking,
    Up(Arc<Links>),
    Down(Failure),
}

/// Which connection a command uses.
#[derive(Clone, Copy)]
pub(crate) enum Via {
    /// Joins, and whether they wait for replicas.
    Joins(Option<Replicas>),
    /// Requests of users other than joins.
    Rest,
    /// The node's own refresh, which is exempt from the in-flight limit.
    Look,
    /// Like a join, and exempt from the in-flight limit.
    Probe(Option<Replicas>),
}

/// Pause before retrying while keys migrate.
const MOVING: Duration = Duration::from_millis(5);
/// Minimum and maximum pause between attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

impl Redis {
    /// Must be called inside the runtime that runs the connections.
    pub(crate) fn open(key: &str, address: Address, settings: LinkSettings) -> Self {
        let (states, state) = watch::channel(State::Seeking);
        let keeper = Keeper { primary: Primary::of(key, address, settings), states };
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move { until.run_until_cancelled(keeper.keep()).await });
        let under_way = Semaphore::new(settings.max_under_way);
        Self { state, under_way, settings, _stops: stop.drop_guard() }
    }

    /// Calls a script within the time limit. Its first arguments decide whether the script doubts
    /// that the server has all data. A call that was certainly not carried out is retried within
    /// the limit. `known` returns what the node knows and is read at each attempt: if a call waited
    /// for a connection and then sent older knowledge, it would hide a loss.
    pub(crate) async fn call(
        &self,
        via: Via,
        script: &Script,
        keys: &[String],
        known: impl Fn() -> Result<Vec<Value>, Failure>,
        own: Vec<Value>,
    ) -> Result<Value, Failure> {
        let _place = match via {
            Via::Look | Via::Probe(_) => None,
            Via::Joins(_) | Via::Rest => {
                Some(self.under_way.try_acquire().map_err(|_| Failure::Busy)?)
            }
        };
        let give_up = Instant::now() + self.settings.answer;
        loop {
            let links = self.links(give_up).await?;
            let server = [Value::from(links.run.as_str()), Value::from(links.came.word())];
            let arguments = server.into_iter().chain(known()?).chain(own.iter().cloned()).collect();
            let answer = timeout_at(give_up, call_over(&links, via, script, keys, arguments)).await;
            let failure = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::Unknown("no answer in time".to_owned())),
            };
            if matches!(failure, Failure::NotPrimary(_)) {
                links.misleading.cancel();
            }
            if Instant::now() + MOVING >= give_up {
                return Err(failure);
            }
            match failure {
                Failure::NotPrimary(_) | Failure::NotYet(_) => sleep(MOVING).await,
                Failure::NoScript => {
                    let loaded = timeout_at(give_up, links.rest.load(script)).await;
                    loaded.map_err(|_| Failure::NoScript)??;
                }
                Failure::Refused(_)
                | Failure::Rejected(_)
                | Failure::Replica(_)
                | Failure::NoConnection(_)
                | Failure::Busy
                | Failure::Unknown(_)
                | Failure::NotReplicated
                | Failure::Corrupt(_) => return Err(failure),
            }
        }
    }

    /// Sends any command to the primary.
    pub(crate) async fn ask(
        &self,
        command: &'static str,
        arguments: Vec<Value>,
    ) -> Result<Value, Failure> {
        let give_up = Instant::now() + self.settings.answer;
        let links = self.links(give_up).await?;
        let answer = timeout_at(give_up, links.rest.ask(command, arguments)).await;
        answer.map_err(|_| Failure::Unknown("no answer in time".to_owned()))?
    }

    /// The connections. Waits for them only while the task is connecting for the first time or
    /// reconnecting.
    async fn links(&self, give_up: Instant) -> Result<Arc<Links>, Failure> {
        let mut state = self.state.clone();
        let settled =
            timeout_at(give_up, state.wait_for(|state| !matches!(state, State::Seeking))).await;
        match settled {
            Ok(Ok(state)) => match &*state {
                State::Up(links) => Ok(Arc::clone(links)),
                State::Down(failure) => Err(not_connected(failure)),
                State::Seeking => Err(Failure::NoConnection("not connected yet".to_owned())),
            },
            Ok(Err(_)) => Err(Failure::NoConnection("it is closed".to_owned())),
            Err(_) => Err(Failure::NoConnection("not connected in time".to_owned())),
        }
    }
}

/// Why there is no connection. However connecting failed, the command was not carried out.
fn not_connected(why: &Failure) -> Failure {
    match why {
        Failure::NotPrimary(_)
        | Failure::NotYet(_)
        | Failure::Replica(_)
        | Failure::Refused(_)
        | Failure::Rejected(_)
        | Failure::NoConnection(_) => why.clone(),
        Failure::NoScript
        | Failure::Busy
        | Failure::Unknown(_)
        | Failure::NotReplicated
        | Failure::Corrupt(_) => Failure::NoConnection(why.to_string()),
    }
}

async fn call_over(
    links: &Links,
    via: Via,
    script: &Script,
    keys: &[String],
    arguments: Vec<Value>,
) -> Result<Value, Failure> {
    let keys = keys.to_vec();
    match via {
        Via::Joins(None) | Via::Probe(None) => {
            links.for_joins().await?.call(script, keys, arguments).await
        }
        Via::Joins(Some(replicas)) | Via::Probe(Some(replicas)) => {
            links.for_joins().await?.call_replicated(script, keys, arguments, replicas).await
        }
        Via::Rest | Via::Look => links.rest.call(script, keys, arguments).await,
    }
}

/// The task behind [`Redis`].
struct Keeper {
    primary: Primary,
    states: watch::Sender<State>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut pause = RETRY.0;
        let mut came = Came::First;
        loop {
            match self.primary.connect().await {
                Ok(mut links) => {
                    links.came = came;
                    let links = Arc::new(links);
                    let since = Instant::now();
                    tracing::info!(node = %links.node, "connected to the queue's redis");
                    self.states.send_replace(State::Up(Arc::clone(&links)));
                    came = tokio::select! {
                        biased;
                        came = until_useless(&links) => came,
                        () = self.primary.until_replaced(&links.node) => {
                            tracing::warn!(
                                node = %links.node,
                                "sentinels report another primary: reconnecting"
                            );
                            Came::AfterLoss
                        }
                    };
                    self.states.send_replace(State::Seeking);
                    // A connection that is lost at once, again and again, does not skip the pause.
                    if since.elapsed() > RETRY.1 {
                        pause = RETRY.0;
                        continue;
                    }
                }
                Err(failure) => {
                    self.states.send_replace(State::Down(failure));
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

/// Waits until the connection is useless, and returns how this node comes to the next one. A server
/// that redirects and is still a primary has handed over all its data. A demoted server has not.
async fn until_useless(links: &Links) -> Came {
    tokio::select! {
        biased;
        () = links.lost() => {
            tracing::warn!(node = %links.node, "the connection to the queue's redis is lost");
            Came::AfterLoss
        }
        () = links.misleading.cancelled() => {
            tracing::info!(node = %links.node, "the queue has moved to another node");
            if links.is_primary().await.unwrap_or(false) {
                Came::HandedOver
            } else {
                Came::AfterLoss
            }
        }
    }
}
