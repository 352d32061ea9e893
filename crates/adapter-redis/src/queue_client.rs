//! The Redis that keeps a queue: one task finds its primary, connects, and reconnects.

use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::address::RedisAddress;
use crate::connection::{Came, ConnectionSet, ConnectionSettings, Replicas};
use crate::error::Failure;
use crate::find_primary::Primary;
use crate::scripts::Script;

/// The primary of one queue. A background task keeps it connected until this is dropped.
pub(crate) struct QueueClient {
    state: watch::Receiver<State>,
    in_flight: Semaphore,
    settings: ConnectionSettings,
    _stops: DropGuard,
}

#[derive(Clone)]
enum State {
    /// Not connected yet, or the primary has just moved: worth a short wait.
    Seeking,
    Up(Arc<ConnectionSet>),
    Down(Failure),
}

/// Which connection a command uses.
#[derive(Clone, Copy)]
pub(crate) enum CommandClass {
    /// Joins, and whether they wait for replicas.
    Joins(Option<Replicas>),
    /// Requests of users other than joins.
    Rest,
    /// The node's own refresh, which is exempt from the in-flight limit.
    Refresh,
    /// Like a join, and exempt from the in-flight limit.
    Probe(Option<Replicas>),
}

/// Pause before retrying while keys migrate.
const MOVING: Duration = Duration::from_millis(5);
/// Minimum and maximum pause between attempts to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

impl QueueClient {
    /// Must be called inside the runtime that runs the connections.
    pub(crate) fn open(key: &str, address: RedisAddress, settings: ConnectionSettings) -> Self {
        let (states, state) = watch::channel(State::Seeking);
        let reconnect_task = ReconnectTask { primary: Primary::of(key, address, settings), states };
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move { until.run_until_cancelled(reconnect_task.keep()).await });
        let in_flight = Semaphore::new(settings.max_in_flight);
        Self { state, in_flight, settings, _stops: stop.drop_guard() }
    }

    /// Calls a script within the time limit. Its first arguments decide whether the script doubts
    /// that the server has all data. A call that was certainly not carried out is retried within
    /// the limit. `known` returns what the node knows and is read at each attempt: if a call waited
    /// for a connection and then sent older knowledge, it would hide a loss.
    pub(crate) async fn call(
        &self,
        via: CommandClass,
        script: &Script,
        keys: &[String],
        known: impl Fn() -> Result<Vec<Value>, Failure>,
        own: Vec<Value>,
    ) -> Result<Value, Failure> {
        let _place = match via {
            CommandClass::Refresh | CommandClass::Probe(_) => None,
            CommandClass::Joins(_) | CommandClass::Rest => {
                Some(self.in_flight.try_acquire().map_err(|_| Failure::Busy)?)
            }
        };
        let give_up = Instant::now() + self.settings.answer;
        loop {
            let connections = self.connections(give_up).await?;
            let server =
                [Value::from(connections.run.as_str()), Value::from(connections.came.word())];
            let arguments = server.into_iter().chain(known()?).chain(own.iter().cloned()).collect();
            let answer =
                timeout_at(give_up, call_over(&connections, via, script, keys, arguments)).await;
            let failure = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::Unknown("no answer in time".to_owned())),
            };
            if matches!(failure, Failure::NotPrimary(_)) {
                connections.misleading.cancel();
            }
            if Instant::now() + MOVING >= give_up {
                return Err(failure);
            }
            match failure {
                Failure::NotPrimary(_) | Failure::NotYet(_) => sleep(MOVING).await,
                Failure::NoScript => {
                    let loaded = timeout_at(give_up, connections.rest.load(script)).await;
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
    pub(crate) async fn send(
        &self,
        command: &'static str,
        arguments: Vec<Value>,
    ) -> Result<Value, Failure> {
        let give_up = Instant::now() + self.settings.answer;
        let connections = self.connections(give_up).await?;
        let answer = timeout_at(give_up, connections.rest.send(command, arguments)).await;
        answer.map_err(|_| Failure::Unknown("no answer in time".to_owned()))?
    }

    /// The connections. Waits for them only while the task is connecting for the first time or
    /// reconnecting.
    async fn connections(&self, give_up: Instant) -> Result<Arc<ConnectionSet>, Failure> {
        let mut state = self.state.clone();
        let settled =
            timeout_at(give_up, state.wait_for(|state| !matches!(state, State::Seeking))).await;
        match settled {
            Ok(Ok(state)) => match &*state {
                State::Up(connections) => Ok(Arc::clone(connections)),
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
    connections: &ConnectionSet,
    via: CommandClass,
    script: &Script,
    keys: &[String],
    arguments: Vec<Value>,
) -> Result<Value, Failure> {
    let keys = keys.to_vec();
    match via {
        CommandClass::Joins(None) | CommandClass::Probe(None) => {
            connections.for_joins().await?.call(script, keys, arguments).await
        }
        CommandClass::Joins(Some(replicas)) | CommandClass::Probe(Some(replicas)) => {
            connections.for_joins().await?.call_replicated(script, keys, arguments, replicas).await
        }
        CommandClass::Rest | CommandClass::Refresh => {
            connections.rest.call(script, keys, arguments).await
        }
    }
}

/// The task behind [`QueueClient`].
struct ReconnectTask {
    primary: Primary,
    states: watch::Sender<State>,
}

impl ReconnectTask {
    async fn keep(mut self) {
        let mut pause = RETRY.0;
        let mut came = Came::First;
        loop {
            match self.primary.connect().await {
                Ok(mut connections) => {
                    connections.came = came;
                    let connections = Arc::new(connections);
                    let since = Instant::now();
                    tracing::info!(node = %connections.node, "connected to the queue's redis");
                    self.states.send_replace(State::Up(Arc::clone(&connections)));
                    came = tokio::select! {
                        biased;
                        came = until_useless(&connections) => came,
                        () = self.primary.until_replaced(&connections.node) => {
                            tracing::warn!(
                                node = %connections.node,
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
async fn until_useless(connections: &ConnectionSet) -> Came {
    tokio::select! {
        biased;
        () = connections.lost() => {
            tracing::warn!(node = %connections.node, "the connection to the queue's redis is lost");
            Came::AfterLoss
        }
        () = connections.misleading.cancelled() => {
            tracing::info!(node = %connections.node, "the queue has moved to another node");
            if connections.is_primary().await.unwrap_or(false) {
                Came::HandedOver
            } else {
                Came::AfterLoss
            }
        }
    }
}
