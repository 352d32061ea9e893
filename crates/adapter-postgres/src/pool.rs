//! The connection pool: bounded connections, bounded waiters, a timeout on every wait.

mod meter;
mod renewal;

use std::sync::Arc;
use std::time::Duration;

use bb8::{ManageConnection, QueueStrategy, RunError};
use domain::{Dependency, PortError, PortErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

pub use self::meter::PoolState;

use self::meter::Meter;
use self::renewal::Renewal;
use crate::address::PostgresAddress;
use crate::connect::Connector;
use crate::error::{Failed, SetupError, overloaded, unanswered};
use crate::session::{Query, Session, SessionLimits};
use crate::sqlstates::Blame;

/// Limits of the pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolSettings {
    /// Maximum number of connections; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`.
    pub min_idle: u32,
    /// How long a call waits for a connection.
    pub acquire: Duration,
    /// Maximum number of calls waiting for a connection; further ones are refused.
    pub max_waiting: u32,
    /// A connection idle for this long is closed.
    pub idle: Duration,
    /// A connection older than this is closed when it returns to the pool.
    pub lifetime: Duration,
}

/// The database, through a pool of connections. Clones share the pool.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    pool: bb8::Pool<Manager>,
    manager: Manager,
    failures: watch::Receiver<Option<Failure>>,
    limits: Limits,
    /// One permit for each call that runs or waits.
    places: Arc<Semaphore>,
    /// One permit for each connection. Grants them in order of arrival, which bb8 does not
    /// guarantee.
    permits: Semaphore,
    size: u32,
    meter: Meter,
    /// Runs all queries and connections. A single runtime, so that a connection does not end with
    /// the thread that opened it.
    runtime: Handle,
}

#[derive(Clone, Copy)]
struct Limits {
    acquire: Duration,
    /// How long to wait for a result once there is a connection.
    answer: Duration,
}

/// A failed attempt to connect.
#[derive(Clone)]
struct Failure {
    at: Instant,
    why: SetupError,
}

/// If there is no connection and an attempt to connect failed this recently, calls fail without
/// another attempt: a server that is down or starting gets no connection attempt per call.
const STILL_DOWN: Duration = Duration::from_millis(250);

/// How often bb8 checks for idle and expired connections.
const REAP_EVERY: Duration = Duration::from_secs(1);

impl Postgres {
    /// Opens a pool that connects in the background. Must be called inside the runtime that runs
    /// it, which must outlive the pool.
    ///
    /// # Errors
    /// [`SetupError`] if TLS is required and cannot be set up. An unreachable server is not an
    /// error here.
    pub fn open(
        address: PostgresAddress,
        limits: SessionLimits,
        settings: &PoolSettings,
    ) -> Result<Self, SetupError> {
        let connector = Connector::new(address, limits)?;
        let (failed, failures) = watch::channel(None);
        let renewal = Arc::new(Renewal::new(Instant::now()));
        let manager = Manager { connector, failed, renewal };
        let pool = bb8::Pool::builder()
            .max_size(settings.size)
            .min_idle(settings.min_idle)
            .connection_timeout(settings.acquire)
            .idle_timeout(settings.idle)
            .max_lifetime(settings.lifetime)
            .reaper_rate(REAP_EVERY)
            // A failure is reported at once, and the next call makes the next attempt.
            .retry_connection(false)
            // The most recently used connection is reused first, so that surplus ones become idle
            // and close.
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(manager.clone());
        let (size, waiting) = (settings.size as usize, settings.max_waiting as usize);
        Ok(Self(Arc::new(Inner {
            pool,
            manager,
            failures,
            limits: Limits { acquire: settings.acquire, answer: limits.answer() },
            places: Arc::new(Semaphore::new(
                size.saturating_add(waiting).min(Semaphore::MAX_PERMITS),
            )),
            permits: Semaphore::new(size),
            size: settings.size,
            meter: Meter::default(),
            runtime: Handle::current(),
        })))
    }

    /// The number of connections and of waiting calls.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let bb8::State { connections, idle_connections: idle, .. } = self.0.pool.state();
        let (waiting, timeouts) = (self.0.meter.waiting(), self.0.meter.timeouts());
        PoolState { size: self.0.size, connections, idle, waiting, timeouts }
    }

    /// Registers a listener for how long each call waited for its connection, whether it got one or
    /// not. Calls refused without waiting are not reported. The listener runs during the call, so
    /// it must not block. Only the first listener is kept.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        self.0.meter.listen(listener);
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.0.manager.connector
    }

    /// Runs a query on a connection of the pool. If the connection is at fault, the query runs once
    /// more on a new one, within the same limits. The query has its own task, which ends within the
    /// limits: a caller cancelled while waiting leaves the queue, and one cancelled later leaves no
    /// connection half read. The task stays in the caller's span. `name` identifies the query in
    /// errors and logs.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        query: impl Query<T>,
    ) -> Result<T, PortError> {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            inner.meter.timed_out();
            return Err(overloaded("too many calls wait for a connection"));
        };
        let (answered, answer) = oneshot::channel();
        let asking = async move {
            let _place = place;
            inner.run(name, query, answered).await;
        };
        self.0.runtime.spawn(asking.in_current_span());
        // Without a result, the task has panicked or the runtime is shutting down.
        let lost = || {
            PortError::new(PortErrorKind::Unavailable, Dependency::POSTGRES)
                .because("the query ended without a result")
        };
        answer.await.unwrap_or_else(|_| Err(lost()))
    }
}

impl Inner {
    /// Runs the query and sends the result to the caller, if it still waits.
    async fn run<T>(
        &self,
        name: &'static str,
        query: impl Query<T>,
        mut answered: oneshot::Sender<Result<T, PortError>>,
    ) {
        let since = Instant::now();
        let waiting = self.meter.wait(since);
        let taken = tokio::select! {
            taken = self.session_in_turn(since + self.limits.acquire) => taken,
            () = answered.closed() => return,
        };
        drop(waiting);
        let answer = match taken {
            Ok((session, turn)) => self.run_on(session, turn, name, query).await,
            Err(error) => Err(error),
        };
        // The caller may be gone.
        let _ = answered.send(answer);
    }

    async fn run_on<T>(
        &self,
        mut session: bb8::PooledConnection<'_, Manager>,
        turn: SemaphorePermit<'_>,
        name: &'static str,
        query: impl Query<T>,
    ) -> Result<T, PortError> {
        let asking = self.run_once_or_twice(&mut session, name, &query);
        let answer = timeout(self.limits.answer, asking).await;
        // Returned to the pool before the permit is released.
        drop(session);
        drop(turn);
        match answer {
            Ok(answer) => answer.map_err(|failed| failed.into_port_error(name)),
            Err(_) => Err(unanswered(
                PortErrorKind::Timeout,
                name,
                "the server did not answer in time".to_owned(),
            )),
        }
    }

    /// Runs the query, and repeats it if the connection is at fault.
    async fn run_once_or_twice<T>(
        &self,
        session: &mut Session,
        name: &'static str,
        query: &impl Query<T>,
    ) -> Result<T, Failed> {
        match session.run(query).await {
            // Boxed: the future that opens a connection is large, and would enlarge the future of
            // every query.
            Err(failed) if failed.blame().is_on_the_connection() => {
                Box::pin(self.run_again(session, name, query, failed)).await
            }
            answer => answer,
        }
    }

    /// Repeats the query on a new connection, which has no stale state and takes the same slot of
    /// the pool. If that succeeds and other connections may share the fault, all older connections
    /// are retired.
    async fn run_again<T>(
        &self,
        session: &mut Session,
        name: &'static str,
        query: &impl Query<T>,
        failed: Failed,
    ) -> Result<T, Failed> {
        let (blame, made) = (failed.blame(), session.made());
        let Manager { renewal, .. } = &self.manager;
        let is_worth_it = renewal.is_worth_it(Instant::now());
        // If new connections do not help, a merely outdated one still serves other queries.
        if blame == Blame::Connection || is_worth_it {
            session.close();
        }
        if !is_worth_it {
            return Err(failed);
        }
        *session = self.manager.connect().await.map_err(Failed::NotConnected)?;
        let answer = session.run(query).await;
        match answer.as_ref().map_err(Failed::blame) {
            Ok(_) => {
                let retires_others = blame == Blame::OldConnection && !renewal.is_retired(made);
                if retires_others {
                    renewal.retire_before(session.made());
                }
                tracing::warn!(
                    query = name,
                    sqlstate = failed.code(),
                    retires_others,
                    "replaced a faulty connection to Postgres and repeated its query"
                );
            }
            Err(Blame::Connection) => {
                session.close();
                renewal.was_in_vain(Instant::now());
            }
            Err(Blame::OldConnection) => renewal.was_in_vain(Instant::now()),
            Err(Blame::Query | Blame::Limit) => {}
        }
        answer
    }

    /// Acquires a permit and a connection. Fails at once if there is no connection and connecting
    /// fails.
    async fn session_in_turn(
        &self,
        give_up: Instant,
    ) -> Result<(bb8::PooledConnection<'_, Manager>, SemaphorePermit<'_>), PortError> {
        let mut failures = self.failures.clone();
        if let Some(failure) =
            failures.borrow_and_update().clone().filter(|_| self.has_no_connection())
            && failure.at.elapsed() < STILL_DOWN
        {
            return Err(failure.why.into());
        }
        let taking = async {
            let turn =
                self.permits.acquire().await.map_err(|_| overloaded("the pool is closed"))?;
            let session = self.pool.get().await.map_err(|error| self.no_session(error))?;
            Ok((session, turn))
        };
        tokio::select! {
            biased;
            taken = timeout_at(give_up, taking) => taken.unwrap_or_else(|_| Err(self.no_session(RunError::TimedOut))),
            why = self.next_failure(failures) => Err(why.into()),
        }
    }

    /// Waits until connecting fails while there is no connection to wait for.
    async fn next_failure(&self, mut failures: watch::Receiver<Option<Failure>>) -> SetupError {
        while failures.changed().await.is_ok() {
            let failure = failures.borrow_and_update().clone().filter(|_| self.has_no_connection());
            if let Some(failure) = failure {
                return failure.why;
            }
        }
        // The sender lives as long as the pool.
        std::future::pending().await
    }

    fn has_no_connection(&self) -> bool {
        self.pool.state().connections == 0
    }

    fn no_session(&self, error: RunError<SetupError>) -> PortError {
        if matches!(error, RunError::TimedOut) {
            self.meter.timed_out();
        }
        match error {
            RunError::User(error) => error.into(),
            RunError::TimedOut if self.has_no_connection() => {
                let late = "no connection within postgres.pool.acquire_timeout";
                SetupError::unreachable(self.manager.connector.address(), late).into()
            }
            RunError::TimedOut => overloaded("no connection came free in time"),
        }
    }
}

/// Opens and validates the pool's connections.
#[derive(Clone)]
struct Manager {
    connector: Connector,
    /// The error of the last attempt to connect; `None` if it succeeded.
    failed: watch::Sender<Option<Failure>>,
    renewal: Arc<Renewal>,
}

impl Manager {
    fn is_usable(&self, session: &Session) -> bool {
        session.is_good() && !self.renewal.is_retired(session.made())
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = SetupError;

    async fn connect(&self) -> Result<Session, SetupError> {
        let connected = self.connector.session().await;
        let failure = |why: &SetupError| Failure { at: Instant::now(), why: why.clone() };
        self.failed.send_replace(connected.as_ref().err().map(failure));
        connected
    }

    /// Without a round trip: when a server goes away it closes the connection, which the
    /// connection's task notices.
    async fn is_valid(&self, session: &mut Session) -> Result<(), SetupError> {
        let over =
            || SetupError::unreachable(self.connector.address(), "the connection was closed");
        if self.is_usable(session) { Ok(()) } else { Err(over()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !self.is_usable(session)
    }
}
