//! The pool: bounded connections, bounded waiters, a limit on every wait.

use std::sync::Arc;
use std::time::Duration;

use bb8::{ManageConnection, QueueStrategy, RunError};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument as _;

use crate::error::PoolError;
use crate::manager::{Failure, Watched};
use crate::meter::{Meter, PoolState};
use crate::settings::PoolSettings;
use crate::slot::Slot;

/// Work on one connection.
pub trait Call<M: ManageConnection<Error: Clone + Sync>>: Send + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Does the work. If it panics or exceeds the limit, the connection is closed.
    fn run(self, slot: &mut Slot<'_, M>) -> impl Future<Output = Self::Answer> + Send;
}

/// A bounded pool of connections. Clones share it.
pub struct ConnectionPool<M: ManageConnection<Error: Clone + Sync>>(Arc<Inner<M>>);

struct Inner<M: ManageConnection<Error: Clone + Sync>> {
    pool: bb8::Pool<Watched<M>>,
    watched: Watched<M>,
    acquire: Duration,
    /// How long a call may take once it has a connection.
    answer: Duration,
    /// One permit for each call that runs or waits.
    places: Arc<Semaphore>,
    /// One permit for each connection. Grants them in order of arrival, which bb8 does not
    /// guarantee.
    permits: Semaphore,
    size: u32,
    meter: Arc<Meter>,
    /// Runs all calls and connections, whichever runtime the caller uses: a connection must not end
    /// with the thread that first needed it.
    runtime: Handle,
}

/// If there is no connection and an attempt to connect failed this recently, calls fail without
/// another attempt: a server that is down or starting gets no connection attempt per call.
const STILL_DOWN: Duration = Duration::from_millis(250);

/// How often bb8 checks for idle and expired connections.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// The shortest time bb8 accepts.
const TICK: Duration = Duration::from_millis(1);

impl<M: ManageConnection<Error: Clone + Sync>> ConnectionPool<M> {
    /// Opens a pool that connects in the background on this runtime, which must outlive it, and
    /// counts waiting calls in this meter. A call may take as long as `answer` once it has a
    /// connection.
    #[must_use]
    pub fn open(
        manager: M,
        settings: &PoolSettings,
        answer: Duration,
        meter: Arc<Meter>,
        runtime: Handle,
    ) -> Self {
        let watched = Watched::new(manager);
        let size = settings.size.max(1);
        let inside = runtime.enter();
        let pool = bb8::Pool::builder()
            .max_size(size)
            .min_idle(settings.min_idle.min(size))
            .connection_timeout(settings.acquire.max(TICK))
            .idle_timeout(settings.idle.max(TICK))
            .max_lifetime(settings.lifetime.max(TICK))
            .reaper_rate(REAP_EVERY)
            // A failure is reported at once, and the next call makes the next attempt.
            .retry_connection(false)
            // The most recently used connection is reused first, so that surplus ones become idle
            // and close.
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(watched.clone());
        drop(inside);
        let places = (size as usize).saturating_add(settings.max_waiting as usize);
        Self(Arc::new(Inner {
            pool,
            watched,
            acquire: settings.acquire,
            answer,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            permits: Semaphore::new(size as usize),
            size,
            meter,
            runtime,
        }))
    }

    /// The manager of the connections.
    #[must_use]
    pub fn manager(&self) -> &M {
        self.0.watched.manager()
    }

    /// Counts the waiting calls of this pool, and of others that share it.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The connections of this pool, and the waiting calls of its meter.
    #[must_use]
    pub fn state(&self) -> PoolState {
        let mut state = self.0.meter.state();
        self.add_to(&mut state);
        state
    }

    /// Adds the connections of this pool to a state.
    pub fn add_to(&self, state: &mut PoolState) {
        let bb8::State { connections, idle_connections, .. } = self.0.pool.state();
        state.size += self.0.size;
        state.connections += connections;
        state.idle += idle_connections;
    }

    /// Runs a call on a connection of the pool. The call has its own task, which ends within the
    /// limits: a caller dropped while waiting leaves the queue, and one dropped later leaves no
    /// connection half read. The task stays in the caller's span.
    ///
    /// # Errors
    /// [`PoolError`], if the call was not run or did not end in time.
    pub async fn run<C: Call<M>>(&self, call: C) -> Result<C::Answer, PoolError<M::Error>> {
        let inner = Arc::clone(&self.0);
        let Ok(place) = Arc::clone(&inner.places).try_acquire_owned() else {
            inner.meter.timed_out();
            return Err(PoolError::TooManyWaiting);
        };
        let (answered, answer) = oneshot::channel();
        let running = async move {
            let _place = place;
            inner.run(call, answered).await;
        };
        self.0.runtime.spawn(running.in_current_span());
        answer.await.unwrap_or(Err(PoolError::Lost))
    }
}

impl<M: ManageConnection<Error: Clone + Sync>> Clone for ConnectionPool<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: ManageConnection<Error: Clone + Sync>> Inner<M> {
    /// Runs the call and sends the answer to the caller, if it still waits.
    async fn run<C: Call<M>>(
        &self,
        call: C,
        mut answered: oneshot::Sender<Result<C::Answer, PoolError<M::Error>>>,
    ) {
        let since = Instant::now();
        let waiting = self.meter.wait(since);
        let taken = tokio::select! {
            taken = self.slot_in_turn(since + self.acquire) => taken,
            () = answered.closed() => return,
        };
        drop(waiting);
        let answer = match taken {
            Ok(slot) => self.run_on(slot, call).await,
            Err(error) => Err(error),
        };
        // The caller may be gone.
        let _ = answered.send(answer);
    }

    /// Runs the call within its limit, and returns the connection to the pool.
    async fn run_on<C: Call<M>>(
        &self,
        mut slot: Slot<'_, M>,
        call: C,
    ) -> Result<C::Answer, PoolError<M::Error>> {
        slot.set_midway(true);
        let answer = timeout(self.answer, call.run(&mut slot)).await;
        slot.set_midway(answer.is_err());
        answer.map_err(|_| PoolError::NoAnswer)
    }

    /// Acquires a permit and a connection. Fails at once if there is no connection and connecting
    /// fails.
    async fn slot_in_turn(&self, give_up: Instant) -> Result<Slot<'_, M>, PoolError<M::Error>> {
        let mut failures = self.watched.failures();
        if let Some(failure) =
            failures.borrow_and_update().clone().filter(|_| self.has_no_connection())
            && failure.at.elapsed() < STILL_DOWN
        {
            return Err(PoolError::NotConnected(failure.why));
        }
        let taking = async {
            // Never closed.
            let permit = self.permits.acquire().await.map_err(|_| PoolError::Lost)?;
            let connection = self.pool.get().await.map_err(|error| self.not_taken(error))?;
            Ok(Slot::new(connection, permit, &self.watched))
        };
        tokio::select! {
            biased;
            taken = timeout_at(give_up, taking) => {
                taken.unwrap_or_else(|_| Err(self.not_taken(RunError::TimedOut)))
            }
            why = self.next_failure(failures) => Err(PoolError::NotConnected(why)),
        }
    }

    /// Waits until connecting fails while there is no connection to wait for.
    async fn next_failure(
        &self,
        mut failures: watch::Receiver<Option<Failure<M::Error>>>,
    ) -> M::Error {
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

    fn not_taken(&self, error: RunError<M::Error>) -> PoolError<M::Error> {
        match error {
            RunError::User(error) => return PoolError::NotConnected(error),
            RunError::TimedOut => self.meter.timed_out(),
        }
        if self.has_no_connection() { PoolError::NoneReady } else { PoolError::NoneFree }
    }
}
