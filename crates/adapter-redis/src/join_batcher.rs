//! Joins are sent in batches: joins that arrive while a batch is in flight form the next one.
//!
//! Each calling thread has a `ThreadBatcher` of its own (ADR 21). Its joins share a batch, and the
//! same thread sends the batch and wakes the callers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::PortError;
use domain::queue::{JoinError, Joined, NumberBounds, Shown, UserId};
use futures_util::future::BoxFuture;
use thread_local::ThreadLocal;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::error::Failure;

/// The answers of a batch, in the order of its users.
pub(crate) type Answers = Vec<Result<Joined, JoinError>>;

/// A user who joins, and what their token shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Joiner {
    pub(crate) user: UserId,
    pub(crate) presented: Option<Shown>,
}

/// Sends one batch.
pub(crate) trait BatchExecutor: Send + Sync + 'static {
    fn carry(
        &self,
        joiners: Vec<Joiner>,
        bounds: NumberBounds,
    ) -> BoxFuture<'_, Result<Answers, Failure>>;
}

/// How joins are batched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Batching {
    /// Maximum users in a batch, at least 1. The script's run time grows with them and blocks all
    /// other commands.
    pub largest: usize,
    /// Maximum batches of one thread in flight, at least 1. A higher limit makes smaller batches,
    /// and each batch costs Redis as much as a dozen joins.
    pub in_flight: usize,
    /// Maximum joins of all threads that wait for a batch; further joins are refused.
    pub max_waiting: usize,
    /// Maximum time a join waits for a batch; then it is refused. The time Redis takes for the
    /// batch does not count: on a busy node a burst needs longer than that.
    pub max_wait: Duration,
}

impl Default for Batching {
    /// At three to five microseconds a join (`cargo xtask bench-redis`), a batch of a thousand
    /// takes Redis three to five milliseconds.
    fn default() -> Self {
        Self { largest: 1_000, in_flight: 1, max_waiting: 20_000, max_wait: Duration::from_secs(2) }
    }
}

/// The load that one node's joins put on the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLoad {
    /// Joins that wait for a batch.
    pub joins_waiting: usize,
    /// Batches sent since the start.
    pub batches: u64,
}

/// Batches joins per thread. A lone join is sent at once.
pub(crate) struct JoinBatcher<C> {
    office: Arc<BatcherState<C>>,
    /// One for each calling thread. A batch ends with its thread: all its callers run on that
    /// thread.
    lanes: ThreadLocal<Arc<ThreadBatcher>>,
}

/// State shared by all threads and their batches.
struct BatcherState<C> {
    carrier: Arc<C>,
    /// Joins that wait on any thread.
    waiting: AtomicUsize,
    /// Batches sent.
    batches: AtomicU64,
    batching: Batching,
}

#[derive(Default)]
struct ThreadBatcher(Mutex<PendingJoins>);

#[derive(Default)]
struct PendingJoins {
    waiting: VecDeque<Waiting>,
    in_flight: usize,
}

struct Waiting {
    joiner: Joiner,
    bounds: NumberBounds,
    answered: oneshot::Sender<Result<Joined, JoinError>>,
    since: Instant,
    /// The caller's span; none if tracing is off.
    span: Span,
}

impl<C: BatchExecutor> JoinBatcher<C> {
    pub(crate) fn new(carrier: Arc<C>, batching: Batching) -> Self {
        let (waiting, batches) = (AtomicUsize::new(0), AtomicU64::new(0));
        let office = Arc::new(BatcherState { carrier, waiting, batches, batching });
        Self { office, lanes: ThreadLocal::new() }
    }

    pub(crate) fn load(&self) -> QueueLoad {
        let BatcherState { waiting, batches, .. } = self.office.as_ref();
        QueueLoad {
            joins_waiting: waiting.load(Ordering::Relaxed),
            batches: batches.load(Ordering::Relaxed),
        }
    }

    pub(crate) async fn join(
        &self,
        joiner: Joiner,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.office.let_one_in()?;
        let (answered, answer) = oneshot::channel();
        let waiting =
            Waiting { joiner, bounds, answered, since: Instant::now(), span: Span::current() };
        let lane = self.lanes.get_or_default();
        let begins = {
            let mut room = lane.room();
            room.waiting.push_back(waiting);
            room.may_begin(self.office.batching.in_flight)
        };
        if begins {
            tokio::spawn(carry_on(BatchGuard::new(&self.office, lane)));
        }
        let lost = || PortError::from(Failure::Unknown("the batch was lost".to_owned()));
        answer.await.unwrap_or_else(|_| Err(lost().into()))
    }
}

impl<C> BatcherState<C> {
    fn let_one_in(&self) -> Result<(), JoinError> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.batching.max_waiting {
            return Ok(());
        }
        self.let_out(1);
        Err(PortError::from(Failure::Busy).into())
    }

    fn let_out(&self, joins: usize) {
        self.waiting.fetch_sub(joins, Ordering::Relaxed);
    }
}

impl ThreadBatcher {
    fn room(&self) -> MutexGuard<'_, PendingJoins> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingJoins {
    /// Whether one more batch task may start.
    fn may_begin(&mut self, most_under_way: usize) -> bool {
        let may = self.in_flight < most_under_way;
        self.in_flight += usize::from(may);
        may
    }

    /// The next batch of a task; `None` ends the task.
    fn next_or_end(&mut self, largest: usize) -> Option<Vec<Waiting>> {
        let size = self.waiting.len().min(largest);
        if size == 0 {
            self.in_flight -= 1;
            return None;
        }
        Some(self.waiting.drain(..size).collect())
    }

    /// A batch task was dropped before its end. If it was the last one, no task would send the
    /// joins that still wait, so they are returned to be failed.
    fn is_left_by_one(&mut self) -> VecDeque<Waiting> {
        self.in_flight -= 1;
        if self.in_flight == 0 { std::mem::take(&mut self.waiting) } else { VecDeque::new() }
    }
}

/// A batch task's permit of a thread, released when the task is dropped with the runtime of its thread.
struct BatchGuard<C> {
    office: Arc<BatcherState<C>>,
    lane: Arc<ThreadBatcher>,
    has_ended: bool,
}

impl<C> BatchGuard<C> {
    fn new(office: &Arc<BatcherState<C>>, lane: &Arc<ThreadBatcher>) -> Self {
        Self { office: Arc::clone(office), lane: Arc::clone(lane), has_ended: false }
    }

    fn next_or_end(&mut self) -> Option<Vec<Waiting>> {
        let next = self.lane.room().next_or_end(self.office.batching.largest);
        self.office.let_out(next.as_ref().map_or(0, Vec::len));
        self.has_ended = next.is_none();
        next
    }
}

impl<C> Drop for BatchGuard<C> {
    fn drop(&mut self) {
        if !self.has_ended {
            let left_behind = self.lane.room().is_left_by_one();
            self.office.let_out(left_behind.len());
        }
    }
}

/// A batch with its answers.
struct Returned {
    batch: Vec<Waiting>,
    answers: Result<Answers, Failure>,
}

impl Returned {
    /// A caller may have gone away; its answer is dropped.
    fn notify(self) {
        let mut answers = match self.answers {
            Ok(answers) => answers.into_iter(),
            Err(failure) => {
                for waiting in self.batch {
                    let _ = waiting.answered.send(Err(PortError::from(failure.clone()).into()));
                }
                return;
            }
        };
        for waiting in self.batch {
            let missing = || Err(PortError::from(Failure::Corrupt("an answer is missing")).into());
            let _ = waiting.answered.send(answers.next().unwrap_or_else(missing));
        }
    }
}

/// Sends batches until no join waits. The first batch is taken when this task runs, with all joins
/// that have arrived by then.
async fn carry_on<C: BatchExecutor>(mut in_flight: BatchGuard<C>) {
    let mut before: Option<Returned> = None;
    while let Some(batch) = in_flight.next_or_end() {
        let setting_out = carry_one(&in_flight.office, batch);
        // In this order: Redis works on the next batch while this thread wakes the callers of the
        // last one.
        let reported = async { before.take().map_or((), Returned::notify) };
        let (returned, ()) = tokio::join!(biased; setting_out, reported);
        before = returned;
    }
    if let Some(last) = before {
        last.notify();
    }
}

/// Sends the joins of a batch that have not waited too long. Returns `None` if none is left.
async fn carry_one<C: BatchExecutor>(
    office: &BatcherState<C>,
    batch: Vec<Waiting>,
) -> Option<Returned> {
    let now = Instant::now();
    let (mut batch, late): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .partition(|waiting| now.duration_since(waiting.since) <= office.batching.max_wait);
    for waiting in late {
        let _ = waiting.answered.send(Err(PortError::from(Failure::Busy).into()));
    }
    if batch.is_empty() {
        return None;
    }
    office.batches.fetch_add(1, Ordering::Relaxed);
    let joiners = batch.iter().map(|waiting| waiting.joiner).collect();
    let widest = |all: NumberBounds, one: &Waiting| NumberBounds {
        floor: all.floor.raised_to(one.bounds.floor),
        // A caller that brings a ceiling has seen it stored, so the highest one is valid for all.
        ceiling: all.ceiling.max(one.bounds.ceiling),
    };
    let bounds = batch.iter().fold(NumberBounds { ceiling: 0, ..NumberBounds::NONE }, widest);
    let span = span_of(&mut batch);
    let answers = office.carrier.carry(joiners, bounds).instrument(span).await;
    Some(Returned { batch, answers })
}

/// The span of a batch. A batch serves many callers, so it has no parent and links to all their
/// spans. None if tracing is off. The batch drops the callers' spans, so that they end with their
/// calls.
fn span_of(batch: &mut [Waiting]) -> Span {
    if batch.iter().all(|waiting| waiting.span.is_none()) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: "boxoffice::trace",
        parent: None,
        "queue.join batch",
        db.system.name = "redis",
        db.operation.batch.size = batch.len(),
    );
    for waiting in batch {
        let caller = std::mem::replace(&mut waiting.span, Span::none());
        if !caller.is_none() {
            span.follows_from(&caller);
        }
    }
    span
}

#[cfg(test)]
mod tests;
