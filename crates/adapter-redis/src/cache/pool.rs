//! The connections to one server: bounded, with bounded waiters and a limit on every wait.

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
use super::failure::Failure;
use super::session::{Connector, Question, Session};

/// How many connections to a server, how many may wait for one, and for how long. On a cluster this goes for each of its
/// primaries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePoolSettings {
    /// Connections, at most; at least 1.
    pub size: u32,
    /// Idle connections kept ready; at most `size`. None on a cluster, whose nodes come and go.
    pub min_idle: u32,
    /// How long a question waits for a connection.
    pub acquire: Duration,
    /// How many questions wait for a connection at once; the next one is refused.
    pub max_waiting: u32,
    /// How long a connection may take to be ready.
    pub connect: Duration,
    /// How long a server may take to answer.
    pub answer: Duration,
    /// A connection unused for so long is closed.
    pub idle: Duration,
    /// A connection this old is closed when it comes back.
    pub lifetime: Duration,
}

impl Default for CachePoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            min_idle: 1,
            acquire: Duration::from_millis(50),
            // Eight connections answer some 40,000 questions in a second, so a thousand wait half of the acquire limit.
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
    /// Questions under way and waiting: one permit each.
    places: Arc<Semaphore>,
    /// Connections: one permit each. First come, first served, which bb8 alone does not promise.
    turns: Semaphore,
    size: u32,
    meter: Arc<Meter>,
    /// Where questions and connections run. One runtime for all, whoever asks: a connection must not end with the thread
    /// that happened to need it first.
    runtime: Handle,
}

/// Connecting failed.
#[derive(Clone)]
struct Lately {
    at: Instant,
    why: Failure,
}

/// When there is no connection at all and connecting has failed this recently, a question is refused without another
/// attempt: a server that is down, or coming up, is not knocked at for every question.
const STILL_DOWN: Duration = Duration::from_millis(250);

/// How often bb8 looks for connections that are idle or old.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// The shortest time bb8 can be told.
const TICK: Duration = Duration::from_millis(1);

impl Pool {
    /// A pool that connects in the background, on this runtime, and counts on this meter who waits.
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
            // A failure is told at once, and the next question makes the next attempt.
            .retry_connection(false)
            // The connections used last are used next, so that a calm hour lets the others go.
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(Manager { connector, failed });
        let places = (size as usize).saturating_add(settings.max_waiting as usize);
        Self(Arc::new(Inner {
            pool,
            failures,
            acquire: settings.acquire,
            answer: settings.answer,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            turns: Semaphore::new(size as usize),
            size,
            meter,
            runtime: runtime.clone(),
        }))
    }

    /// Asks on a connection of the pool. The question has a task of its own, which ends within the limits: a caller who goes
    /// away while waiting leaves the queue, and one who goes away later leaves no connection half read. It stays in the caller's
    /// span.
    pub(super) async fn ask(&self, question: Question, asking: bool) -> Result<Value, Failure> {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            inner.meter.timed_out();
            return Err(Failure::Busy("as many questions wait for a connection as may"));
        };
        let (answered, answer) = oneshot::channel();
        let carried = async move {
            let _place = place;
            inner.ask(&question, asking, answered).await;
        };
        self.0.runtime.spawn(carried.in_current_span());
        // Without an answer the runtime is coming to its end.
        answer
            .await
            .unwrap_or_else(|_| Err(Failure::NoConnection("the question was lost".to_owned())))
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
    /// Asks, and tells who waits for the answer, if somebody still does.
    async fn ask(
        &self,
        question: &Question,
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
            Ok((session, turn)) => self.ask_on(session, turn, question, asking).await,
            Err(failure) => Err(failure),
        };
        // Nobody may be there any more.
        let _ = answered.send(answer);
    }

    async fn ask_on(
        &self,
        mut session: bb8::PooledConnection<'_, Manager>,
        turn: SemaphorePermit<'_>,
        question: &Question,
        asking: bool,
    ) -> Result<Value, Failure> {
        let answer = timeout(self.answer, session.ask(question, asking)).await;
        // Given back before the next one's turn.
        drop(session);
        drop(turn);
        answer.unwrap_or_else(|_| Err(Failure::Unknown("the server did not answer".to_owned())))
    }

    /// A connection, when it is our turn; or why there is none: at once when there is not one and connecting fails.
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
                self.turns.acquire().await.map_err(|_| Failure::Busy("the pool is closed"))?;
            let session = self.pool.get().await.map_err(|error| self.no_session(error))?;
            Ok((session, turn))
        };
        tokio::select! {
            biased;
            taken = timeout_at(give_up, taking) => taken.unwrap_or_else(|_| Err(self.no_session(RunError::TimedOut))),
            why = self.next_failure(failures) => Err(why),
        }
    }

    /// Waits until connecting has failed and there is no connection left to wait for.
    async fn next_failure(&self, mut failures: watch::Receiver<Option<Lately>>) -> Failure {
        while failures.changed().await.is_ok() {
            let lately = failures.borrow_and_update().clone().filter(|_| self.has_no_connection());
            if let Some(lately) = lately {
                return lately.why;
            }
        }
        // The other end lives as long as the pool.
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

/// Makes and judges the pool's connections. bb8-redis brings a manager of its own, which asks the server for a sign of life
/// before every question, takes no connection for broken, and has limits that cannot be set.
struct Manager {
    connector: Connector,
    /// How connecting failed the last time; `None` when it did not.
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

    /// Without a round trip: a server that is gone has closed the connection, which its task has seen.
    async fn is_valid(&self, session: &mut Session) -> Result<(), Failure> {
        let closed = || Failure::NoConnection("it was closed".to_owned());
        if session.is_good() { Ok(()) } else { Err(closed()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        !session.is_good()
    }
}
