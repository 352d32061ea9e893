//! Joins travel in batches: those that arrive while batches are under way go together in the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::PortError;
use domain::queue::{Bounds, JoinError, Joined, UserId};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span};

use crate::error::Failure;

/// What a batch gives each of its users, in their order.
pub(crate) type Answers = Vec<Result<Joined, JoinError>>;

/// Carries out one batch.
pub(crate) trait Carrier: Send + Sync + 'static {
    fn carry(&self, users: Vec<UserId>, bounds: Bounds) -> BoxFuture<'_, Result<Answers, Failure>>;
}

/// How joins are gathered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Batching {
    /// Users in one batch, at most, at least 1: the script's time grows with them, and everybody else waits for it.
    pub largest: usize,
    /// Batches under way at once, at least 1: while one is on its way back the next is on its way there.
    pub under_way: usize,
    /// Joins that wait for a batch, at most; the next one is refused.
    pub max_waiting: usize,
}

impl Default for Batching {
    /// At three to five microseconds a join (`cargo xtask bench-redis`) a batch of a thousand takes Redis as many milliseconds.
    fn default() -> Self {
        Self { largest: 1_000, under_way: 2, max_waiting: 10_000 }
    }
}

/// What the joins of one node put on the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLoad {
    /// Joins that wait for a batch.
    pub joins_waiting: usize,
    /// Batches that set out, since the start.
    pub batches: u64,
}

/// The waiting room of joins. A lone join leaves it at once.
pub(crate) struct Joins<C> {
    office: Arc<Office<C>>,
    /// Batches outlive who asked for them, and the thread that asked.
    runtime: Handle,
}

/// What joins share with those who carry them.
struct Office<C> {
    carrier: Arc<C>,
    room: Mutex<Room>,
    /// Batches that set out.
    batches: AtomicU64,
    batching: Batching,
    /// Who has waited longer than this for a batch is refused.
    longest_wait: Duration,
}

struct Room {
    waiting: VecDeque<Waiting>,
    under_way: usize,
}

struct Waiting {
    user: UserId,
    bounds: Bounds,
    answered: oneshot::Sender<Result<Joined, JoinError>>,
    since: Instant,
    /// The span of who asked; none where nobody traces.
    span: Span,
}

impl<C: Carrier> Joins<C> {
    /// Must be called inside the runtime that is to run the batches.
    pub(crate) fn new(carrier: Arc<C>, batching: Batching, longest_wait: Duration) -> Self {
        let room = Mutex::new(Room { waiting: VecDeque::new(), under_way: 0 });
        let batches = AtomicU64::new(0);
        let office = Arc::new(Office { carrier, room, batches, batching, longest_wait });
        Self { office, runtime: Handle::current() }
    }

    pub(crate) fn load(&self) -> QueueLoad {
        let joins_waiting = self.office.room().waiting.len();
        QueueLoad { joins_waiting, batches: self.office.batches.load(Ordering::Relaxed) }
    }

    pub(crate) async fn join(&self, user: UserId, bounds: Bounds) -> Result<Joined, JoinError> {
        let (answered, answer) = oneshot::channel();
        let waiting = Waiting { user, bounds, answered, since: Instant::now(), span: Span::current() };
        let batching = self.office.batching;
        let begins = {
            let mut room = self.office.room();
            if room.waiting.len() >= batching.max_waiting {
                return Err(PortError::from(Failure::Busy).into());
            }
            room.waiting.push_back(waiting);
            room.may_begin(batching.under_way)
        };
        if begins {
            self.runtime.spawn(carry_on(Arc::clone(&self.office)));
        }
        let lost = || PortError::from(Failure::Unknown("the batch was lost".to_owned()));
        answer.await.unwrap_or_else(|_| Err(lost().into()))
    }
}

impl Room {
    /// Whether one more carrier may set out.
    fn may_begin(&mut self, most_under_way: usize) -> bool {
        let may = self.under_way < most_under_way;
        self.under_way += usize::from(may);
        may
    }

    /// The next batch of a carrier, or its end.
    fn next_or_end(&mut self, largest: usize) -> Option<Vec<Waiting>> {
        let size = self.waiting.len().min(largest);
        if size == 0 {
            self.under_way -= 1;
            return None;
        }
        Some(self.waiting.drain(..size).collect())
    }
}

impl<C> Office<C> {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries batches until nobody waits. The first is taken when this runs, with all who have come until then.
async fn carry_on<C: Carrier>(office: Arc<Office<C>>) {
    loop {
        let next = office.room().next_or_end(office.batching.largest);
        let Some(batch) = next else { return };
        let (in_time, late): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|waiting| waiting.since.elapsed() <= office.longest_wait);
        for waiting in late {
            let _ = waiting.answered.send(Err(PortError::from(Failure::Busy).into()));
        }
        if !in_time.is_empty() {
            office.batches.fetch_add(1, Ordering::Relaxed);
            carry_one(office.carrier.as_ref(), in_time).await;
        }
    }
}

async fn carry_one<C: Carrier>(carrier: &C, mut batch: Vec<Waiting>) {
    let users = batch.iter().map(|waiting| waiting.user).collect();
    let widest = |all: Bounds, one: &Waiting| Bounds {
        floor: all.floor.raised_to(one.bounds.floor),
        // Whoever brings a ceiling has seen it remembered, so the highest is good for all.
        ceiling: all.ceiling.max(one.bounds.ceiling),
    };
    let bounds = batch.iter().fold(Bounds { ceiling: 0, ..Bounds::NONE }, widest);
    let span = span_of(&mut batch);
    let mut answers = match carrier.carry(users, bounds).instrument(span).await {
        Ok(answers) => answers.into_iter(),
        Err(failure) => {
            for waiting in batch {
                // Who asked may be gone.
                let _ = waiting.answered.send(Err(PortError::from(failure.clone()).into()));
            }
            return;
        }
    };
    for waiting in batch {
        let missing = || Err(PortError::from(Failure::Corrupt("an answer is missing")).into());
        let _ = waiting.answered.send(answers.next().unwrap_or_else(missing));
    }
}

/// The span of a batch: of no caller's trace, since it is of many, and linked to all of them. None where nobody traces. The
/// callers' spans are let go of, so that they end with their calls.
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
