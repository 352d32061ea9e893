//! The pool: bounded connections, bounded waiters, a limit on every wait.

mod meter;
mod renewal;

use std::sync::Arc;
use std::time::Duration;

use bb8::{ManageConnection, QueueStrategy, RunError};
use diesel::QueryResult;
use domain::{PortError, PortErrorKind};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

pub use self::meter::PoolState;

use self::meter::Meter;
use self::renewal::Renewal;
use crate::address::Address;
use crate::blame::Blame;
use crate::connect::Connector;
use crate::connection::Connection;
use crate::error::{Failed, POSTGRES, SetupError, overloaded, unanswered};
use crate::session::{Session, SessionLimits};

/// How many connections, how many may wait for one, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolSettings {
    /// Connections, at most; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`.
    pub min_idle: u32,
    /// How long a question waits for a connection.
    pub acquire: Duration,
    /// How many questions wait for a connection at once; the next one is refused.
    pub max_waiting: u32,
    /// A connection unused for so long is closed.
    pub idle: Duration,
    /// A connection this old is closed when it comes back.
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
    /// Questions under way and waiting: one permit each.
    places: Arc<Semaphore>,
    /// Connections: one permit each. First come, first served, which bb8 alone does not promise.
    turns: Semaphore,
    size: u32,
    meter: Meter,
    /// Where questions and connections run. One runtime for all, whoever asks: a connection must not end with the thread
    /// that happened to need it first.
    runtime: Handle,
}

#[derive(Clone, Copy)]
struct Limits {
    acquire: Duration,
    /// Until an answer must be here once a connection is.
    answer: Duration,
}

/// Connecting failed.
#[derive(Clone)]
struct Failure {
    at: Instant,
    why: SetupError,
}

/// When there is no connection at all and connecting has failed this recently, a question is refused without another
/// attempt: a server that is down, or coming up, is not knocked at for every question.
const STILL_DOWN: Duration = Duration::from_millis(250);

/// How often bb8 looks for connections that are idle or old.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// A question to the database. It may be asked twice, so repeating it must be safe.
pub(crate) trait Question<T>:
    for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static
{
}

impl<T, Q> Question<T> for Q where
    Q: for<'c> Fn(&'c mut Connection) -> BoxFuture<'c, QueryResult<T>> + Send + Sync + 'static
{
}

impl Postgres {
    /// A pool that connects in the background. Must be called inside the runtime that is to run it, which must live as
    /// long as the pool.
    ///
    /// # Errors
    /// [`SetupError`] when TLS is asked for and cannot be set up. That the server is down is no error here.
    pub fn open(
        address: Address,
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
            // A failure is told at once, and the next question makes the next attempt.
            .retry_connection(false)
            // The connections used last are used next, so that a calm hour lets the others go.
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
            turns: Semaphore::new(size),
            size: settings.size,
            meter: Meter::default(),
            runtime: Handle::current(),
        })))
    }

    /// How many connections there are, and how many questions wait for one.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let bb8::State { connections, idle_connections: idle, .. } = self.0.pool.state();
        let (waiting, timeouts) = (self.0.meter.waiting(), self.0.meter.timeouts());
        PoolState { size: self.0.size, connections, idle, waiting, timeouts }
    }

    /// Has this told how long each question waited for its connection, whether it got one or not; a question that may not even
    /// wait is none of these. It is called while the question goes on, so it must not block. The first listener stays, whoever
    /// else comes.
    pub fn on_wait(&self, listener: Arc<dyn Fn(Duration) + Send + Sync>) {
        self.0.meter.listen(listener);
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.0.manager.connector
    }

    /// Asks a question on a connection of the pool. When the connection is at fault the question is
    /// asked again, once, on a new one and within the same limits. The question has a task of its
    /// own, which ends within the limits: a caller who goes away while waiting leaves the queue,
    /// and one who goes away later leaves no connection half read. It stays in the caller's span.
    /// `name` names it in errors and logs.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        name: &'static str,
        question: impl Question<T>,
    ) -> Result<T, PortError> {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            inner.meter.timed_out();
            return Err(overloaded("as many questions wait for a connection as may"));
        };
        let (answered, answer) = oneshot::channel();
        let asking = async move {
            let _place = place;
            inner.ask(name, question, answered).await;
        };
        self.0.runtime.spawn(asking.in_current_span());
        // Without an answer the question has panicked, or the runtime is coming to its end.
        let lost = || {
            PortError::new(PortErrorKind::Unavailable, POSTGRES).because("the question was lost")
        };
        answer.await.unwrap_or_else(|_| Err(lost()))
    }
}

impl Inner {
    /// Asks, and tells who waits for the answer, if somebody still does.
    async fn ask<T>(
        &self,
        name: &'static str,
        question: impl Question<T>,
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
            Ok((session, turn)) => self.ask_on(session, turn, name, question).await,
            Err(error) => Err(error),
        };
        // Nobody may be there any more.
        let _ = answered.send(answer);
    }

    async fn ask_on<T>(
        &self,
        mut session: bb8::PooledConnection<'_, Manager>,
        turn: SemaphorePermit<'_>,
        name: &'static str,
        question: impl Question<T>,
    ) -> Result<T, PortError> {
        let asking = self.ask_once_or_twice(&mut session, name, &question);
        let answer = timeout(self.limits.answer, asking).await;
        // Given back before the next one's turn.
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

    /// Asks, and asks again when the connection is at fault.
    async fn ask_once_or_twice<T>(
        &self,
        session: &mut Session,
        name: &'static str,
        question: &impl Question<T>,
    ) -> Result<T, Failed> {
        match session.ask(question).await {
            // Boxed: setting up a connection is a large future, and each question would carry it.
            Err(failed) if failed.blame().is_on_the_connection() => {
                Box::pin(self.ask_again(session, name, question, failed)).await
            }
            answer => answer,
        }
    }

    /// Asks again on a new connection, which has no old state and takes the same slot of the pool.
    /// When that helps, and others may have the fault too, all older connections are retired.
    async fn ask_again<T>(
        &self,
        session: &mut Session,
        name: &'static str,
        question: &impl Question<T>,
        failed: Failed,
    ) -> Result<T, Failed> {
        let (blame, made) = (failed.blame(), session.made());
        let Manager { renewal, .. } = &self.manager;
        let is_worth_it = renewal.is_worth_it(Instant::now());
        // Where new connections are no better, one that is only out of date still serves other
        // questions.
        if blame == Blame::Connection || is_worth_it {
            session.close();
        }
        if !is_worth_it {
            return Err(failed);
        }
        *session = self.manager.connect().await.map_err(Failed::NotConnected)?;
        let answer = session.ask(question).await;
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
                    "replaced a connection to Postgres that was at fault and repeated its query"
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

    /// A connection, when it is our turn; or why there is none: at once when there is not one and connecting fails.
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
            let turn = self.turns.acquire().await.map_err(|_| overloaded("the pool is closed"))?;
            let session = self.pool.get().await.map_err(|error| self.no_session(error))?;
            Ok((session, turn))
        };
        tokio::select! {
            biased;
            taken = timeout_at(give_up, taking) => taken.unwrap_or_else(|_| Err(self.no_session(RunError::TimedOut))),
            why = self.next_failure(failures) => Err(why.into()),
        }
    }

    /// Waits until connecting has failed and there is no connection left to wait for.
    async fn next_failure(&self, mut failures: watch::Receiver<Option<Failure>>) -> SetupError {
        while failures.changed().await.is_ok() {
            let failure = failures.borrow_and_update().clone().filter(|_| self.has_no_connection());
            if let Some(failure) = failure {
                return failure.why;
            }
        }
        // The other end lives as long as the pool.
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

/// Makes and judges the pool's connections.
#[derive(Clone)]
struct Manager {
    connector: Connector,
    /// How connecting failed the last time; `None` when it did not.
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

    /// Without a round trip: a server that is gone has closed the connection, which its task has seen.
    async fn is_valid(&self, session: &mut Session) -> Result<(), SetupError> {
        let over =
            || SetupError::unreachable(self.connector.address(), "the connection was closed");
        if self.is_usable(session) { Ok(()) } else { Err(over()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !self.is_usable(session)
    }
}
