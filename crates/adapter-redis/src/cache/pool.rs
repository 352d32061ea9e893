//! The connections to one server: a bounded number, bounded waiters, and a limit on every wait.

mod meter;

use std::sync::Arc;
use std::time::Duration;

use bb8_redis::bb8::{self, ManageConnection, QueueStrategy, RunError};
use bb8_redis::redis::Value;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

pub use self::meter::CachePoolState;

pub(super) use self::meter::Meter;
use super::connection::{Connector, Request, Session};
use super::failure::Failure;

/// Limits of the connections to a server and of the calls that wait for one. On a cluster they
/// apply to each primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePoolSettings {
    /// Maximum connections; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`. None on a cluster, whose nodes come and go.
    pub min_idle: u32,
    /// Maximum time a call waits for a connection.
    pub acquire: Duration,
    /// Maximum calls that wait for a connection; further calls are refused.
    pub max_waiting: u32,
    /// Maximum time until a connection is ready.
    pub connect: Duration,
    /// Maximum time a server takes to answer.
    pub answer: Duration,
    /// A connection unused for this long is closed.
    pub idle: Duration,
    /// A connection of this age is closed when it is returned.
    pub lifetime: Duration,
}

impl Default for CachePoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            min_idle: 1,
            acquire: Duration::from_millis(50),
            // Eight connections answer some 40,000 calls a second, so a thousand calls wait half of
            // the acquire limit.
            max_waiting: 1_000,
            connect: Duration::from_secs(1),
            answer: Duration::from_millis(100),
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(1_800),
        }
    }
}

/// A pool. Clones share it.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    pool: bb8::Pool<Manager>,
    failures: watch::Receiver<Option<Lately>>,
    acquire: Duration,
    answer: Duration,
    /// Permits for calls in flight and waiting.
    places: Arc<Semaphore>,
    /// Permits for connections. First come, first served, which bb8 alone does not promise.
    permits: Semaphore,
    size: u32,
    meter: Arc<Meter>,
    /// Runs all calls and connections, whichever runtime the caller uses: a connection must not end
    /// with the thread that first needed it.
    runtime: Handle,
}

/// The last failure to connect.
#[derive(Clone)]
struct Lately {
    at: Instant,
    why: Failure,
}

/// After a failure this recent, and without any connection, calls are refused without another
/// attempt to connect. So a server that is down or starting is not contacted for every call.
const STILL_DOWN: Duration = Duration::from_millis(250);

/// How often bb8 closes idle and expired connections.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// The shortest time bb8 accepts.
const TICK: Duration = Duration::from_millis(1);

impl Pool {
    /// Opens a pool that connects in the background on this runtime and counts waiting calls in
    /// this meter.
    pub(super) fn open(
        connector: Connector,
        settings: &CachePoolSettings,
        meter: Arc<Meter>,
        runtime: Handle,
    ) -> Self {
        let (failed, failures) = watch::channel(None);
        let size = settings.size.max(1);
        let _inside = runtime.enter();
        let pool = bb8::Pool::builder()
            .max_size(size)
            .min_idle(settings.min_idle.min(size))
            .connection_timeout(settings.acquire.max(TICK))
            .idle_timeout(settings.idle.max(TICK))
            .max_lifetime(settings.lifetime.max(TICK))
            .reaper_rate(REAP_EVERY)
            // A failure is reported at once, and the next call makes the next attempt.
            .retry_connection(false)
            // The most recently used connection is used next, so that the others close when load is
            // low.
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(Manager { connector, failed });
        let places = (size as usize).saturating_add(settings.max_waiting as usize);
        Self(Arc::new(Inner {
            pool,
            failures,
            acquire: settings.acquire,
            answer: settings.answer,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            permits: Semaphore::new(size as usize),
            size,
            meter,
            runtime: runtime.clone(),
        }))
    }

    /// Sends a command over a connection of the pool. The command runs in its own task, which ends
    /// within the limits: a caller dropped while waiting leaves the queue, and one dropped later
    /// leaves no half-read connection. The task stays in the caller's span.
    pub(super) async fn run(&self, request: Request, asking: bool) -> Result<Value, Failure> {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            inner.meter.timed_out();
            return Err(Failure::Busy("too many calls wait for a connection"));
        };
        let (answered, answer) = oneshot::channel();
        let carried = async move {
            let _place = place;
            inner.run(&request, asking, answered).await;
        };
        self.0.runtime.spawn(carried.in_current_span());
        // No answer means that the runtime is shutting down.
        answer.await.unwrap_or_else(|_| Err(Failure::NoConnection("the call was lost".to_owned())))
    }

    /// Adds the connections of this pool to a state.
    pub(super) fn add_to(&self, state: &mut CachePoolState) {
        let bb8::State { connections, idle_connections, .. } = self.0.pool.state();
        state.size += self.0.size;
        state.connections += connections;
        state.idle += idle_connections;
    }
}

impl Inner {
    /// Sends a command and returns its answer to the caller, if it still waits.
    async fn run(
        &self,
        request: &Request,
        asking: bool,
        mut answered: oneshot::Sender<Result<Value, Failure>>,
    ) {
        let since = Instant::now();
        let waiting = self.meter.wait(since);
        let taken = tokio::select! {
            taken = self.session_in_turn(since + self.acquire) => taken,
            () = answered.closed() => return,
        };
        drop(waiting);
        let answer = match taken {
            Ok((session, turn)) => self.run_on(session, turn, request, asking).await,
            Err(failure) => Err(failure),
        };
        // The caller may have gone away.
        let _ = answered.send(answer);
    }

    async fn run_on(
        &self,
        mut session: bb8::PooledConnection<'_, Manager>,
        turn: SemaphorePermit<'_>,
        request: &Request,
        asking: bool,
    ) -> Result<Value, Failure> {
        let answer = timeout(self.answer, session.run(request, asking)).await;
        // Returned before the next permit is released.
        drop(session);
        drop(turn);
        answer.unwrap_or_else(|_| Err(Failure::Unknown("the server did not answer".to_owned())))
    }

    /// A connection, once a permit is free; or why there is none. Fails at once if no connection
    /// exists and connecting fails.
    async fn session_in_turn(
        &self,
        give_up: Instant,
    ) -> Result<(bb8::PooledConnection<'_, Manager>, SemaphorePermit<'_>), Failure> {
        let mut failures = self.failures.clone();
        if let Some(lately) =
            failures.borrow_and_update().clone().filter(|_| self.has_no_connection())
            && lately.at.elapsed() < STILL_DOWN
        {
            return Err(lately.why);
        }
        let taking = async {
            let turn =
                self.permits.acquire().await.map_err(|_| Failure::Busy("the pool is closed"))?;
            let session = self.pool.get().await.map_err(|error| self.no_session(error))?;
            Ok((session, turn))
        };
        tokio::select! {
            biased;
            taken = timeout_at(give_up, taking) => {
                taken.unwrap_or_else(|_| Err(self.no_session(RunError::TimedOut)))
            }
            why = self.next_failure(failures) => Err(why),
        }
    }

    /// Waits until connecting fails and no connection is left to wait for.
    async fn next_failure(&self, mut failures: watch::Receiver<Option<Lately>>) -> Failure {
        while failures.changed().await.is_ok() {
            let lately = failures.borrow_and_update().clone().filter(|_| self.has_no_connection());
            if let Some(lately) = lately {
                return lately.why;
            }
        }
        // The sender lives as long as the pool.
        std::future::pending().await
    }

    fn has_no_connection(&self) -> bool {
        self.pool.state().connections == 0
    }

    fn no_session(&self, error: RunError<Failure>) -> Failure {
        if matches!(error, RunError::TimedOut) {
            self.meter.timed_out();
        }
        match error {
            RunError::User(failure) => failure,
            RunError::TimedOut if self.has_no_connection() => {
                Failure::NoConnection("none was ready in time".to_owned())
            }
            RunError::TimedOut => Failure::Busy("no connection came free in time"),
        }
    }
}

/// Makes and checks the pool's connections. bb8-redis has its own manager, but it pings the server
/// before every call, never treats a connection as broken, and has fixed limits.
struct Manager {
    connector: Connector,
    /// The last failure to connect; `None` after a success.
    failed: watch::Sender<Option<Lately>>,
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = Failure;

    async fn connect(&self) -> Result<Session, Failure> {
        let connected = self.connector.session().await;
        let lately = |why: &Failure| Lately { at: Instant::now(), why: why.clone() };
        self.failed.send_replace(connected.as_ref().err().map(lately));
        connected
    }

    /// Without a round trip: if the server is gone, the connection's task has seen it close.
    async fn is_valid(&self, session: &mut Session) -> Result<(), Failure> {
        let closed = || Failure::NoConnection("the connection was closed".to_owned());
        if session.is_good() { Ok(()) } else { Err(closed()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.is_good()
    }
}
