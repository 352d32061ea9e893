//! The pool: bounded connections, bounded waiters, a limit on every wait.

use std::sync::Arc;
use std::time::Duration;

use bb8::{ManageConnection, PooledConnection, QueueStrategy, RunError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::Instrument as _;

use crate::attempts::Failure;
use crate::error::{ConnectError, PoolError};
use crate::manager::FailureTrackingManager;
use crate::meter::{Meter, PoolState};
use crate::settings::{PoolSettings, ServerLimits};
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
    pool: bb8::Pool<FailureTrackingManager<M>>,
    manager: FailureTrackingManager<M>,
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

/// Why the last attempt to connect failed, if it did.
type LastFailure<M> = watch::Receiver<Option<Failure<<M as ManageConnection>::Error>>>;

/// How often bb8 checks for idle and expired connections.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// The shortest time bb8 accepts.
const TICK: Duration = Duration::from_millis(1);

impl<M: ManageConnection<Error: Clone + Sync>> ConnectionPool<M> {
    /// Opens a pool that connects in the background on this runtime, which must outlive it, and
    /// counts waiting calls in this meter.
    #[must_use]
    pub fn open(
        manager: M,
        settings: &PoolSettings,
        limits: ServerLimits,
        meter: Arc<Meter>,
        runtime: Handle,
    ) -> Self {
        let manager = FailureTrackingManager::new(manager, limits.connect);
        let size = settings.size.max(1);
        let inside = runtime.enter();
        let pool = bb8::Pool::builder()
            .max_size(size)
            .min_idle(settings.min_idle.min(size))
            .connection_timeout(settings.acquire.max(TICK))
            .idle_timeout(settings.idle.max(TICK))
            .max_lifetime(settings.lifetime.max(TICK))
            .reaper_rate(REAP_EVERY)
            // A failure is reported at once, and calls that wait or come make the next attempt.
            .retry_connection(false)
            // The most recently used connection is reused first, so that surplus ones become idle
            // and close.
            .queue_strategy(QueueStrategy::Lifo)
            .build_unchecked(manager.clone());
        drop(inside);
        let places = (size as usize).saturating_add(settings.max_waiting as usize);
        Self(Arc::new(Inner {
            pool,
            manager,
            acquire: settings.acquire,
            answer: limits.answer,
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
        self.0.manager.manager()
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
        let running = async move { inner.run(call, place, answered).await };
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
    /// Runs the call and sends the answer to the caller, if it still waits. All that the call held
    /// is released first, even if it panics: a caller that makes one call after the other never
    /// waits for itself.
    async fn run<C: Call<M>>(
        &self,
        call: C,
        place: OwnedSemaphorePermit,
        mut answered: oneshot::Sender<Result<C::Answer, PoolError<M::Error>>>,
    ) {
        let since = Instant::now();
        let waiting = self.meter.wait(since);
        let acquired = tokio::select! {
            biased;
            acquired = self.acquire(place, since + self.acquire) => acquired,
            () = answered.closed() => return,
        };
        drop(waiting);
        let answer = match acquired {
            Ok(slot) => self.run_on(slot, call).await,
            Err(error) => Err(error),
        };
        // The caller may be gone.
        let _ = answered.send(answer);
    }

    /// Runs the call within its limit, and releases the slot.
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
    async fn acquire(
        &self,
        place: OwnedSemaphorePermit,
        give_up: Instant,
    ) -> Result<Slot<'_, M>, PoolError<M::Error>> {
        let acquiring = async move {
            let mut failure = self.manager.failure();
            let permit = tokio::select! {
                biased;
                // Never closed.
                permit = self.permits.acquire() => permit.map_err(|_| PoolError::Lost)?,
                why = self.not_connected(&mut failure) => {
                    return Err(PoolError::NotConnected(why));
                }
            };
            let connection = self.connection(&mut failure).await?;
            Ok(Slot::new(connection, permit, place, &self.manager))
        };
        timeout_at(give_up, acquiring).await.unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// Waits until connecting fails while there is no connection to wait for.
    async fn not_connected(&self, failure: &mut LastFailure<M>) -> ConnectError<M::Error> {
        loop {
            if let Err(why) = self.next_attempt(failure) {
                return why;
            }
            // The sender lives as long as the pool.
            let _ = failure.changed().await;
        }
    }

    /// Gets a connection, which bb8 opens if none is idle. It does not repeat an attempt that
    /// fails: that needs another `get`.
    async fn connection(
        &self,
        failure: &mut LastFailure<M>,
    ) -> Result<PooledConnection<'_, FailureTrackingManager<M>>, PoolError<M::Error>> {
        loop {
            let retry_at = self.next_attempt(failure).map_err(PoolError::NotConnected)?;
            let retry = async {
                match retry_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                connection = self.pool.get() => {
                    return connection.map_err(|error| match error {
                        RunError::User(why) => PoolError::NotConnected(why),
                        RunError::TimedOut => self.timed_out(),
                    });
                }
                () = retry => {}
                _ = failure.changed() => {}
            }
        }
    }

    /// When the next attempt to connect may start, if one has just failed.
    ///
    /// # Errors
    /// Why it failed, if there is no connection to wait for.
    fn next_attempt(
        &self,
        failure: &mut LastFailure<M>,
    ) -> Result<Option<Instant>, ConnectError<M::Error>> {
        let failure = failure.borrow_and_update();
        match failure.as_ref().filter(|failure| failure.is_recent()) {
            Some(failure) if self.has_no_connection() => Err(failure.why.clone()),
            recent => Ok(recent.map(Failure::retry_at)),
        }
    }

    fn has_no_connection(&self) -> bool {
        self.pool.state().connections == 0
    }

    fn timed_out(&self) -> PoolError<M::Error> {
        self.meter.timed_out();
        if self.has_no_connection() { PoolError::NoneReady } else { PoolError::NoneFree }
    }
}
