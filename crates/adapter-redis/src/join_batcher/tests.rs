//! Joins and their batches, without a server.

use domain::queue::{Incarnation, PlaceStatus, QueueCounters, QueueNumber};
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info_span};
use tracing_core::span::Current;

use super::*;

/// A wait that is long enough on any machine.
fn patient() -> Batching {
    Batching { max_wait: Duration::from_secs(600), ..Batching::default() }
}

/// Gives each user the next number, once opened.
struct Gate {
    opens: Semaphore,
    given: AtomicUsize,
}

impl Gate {
    fn shut() -> Arc<Self> {
        Arc::new(Self { opens: Semaphore::new(0), given: AtomicUsize::new(0) })
    }
}

impl BatchExecutor for Gate {
    fn carry(
        &self,
        joiners: Vec<Joiner>,
        _: NumberBounds,
    ) -> BoxFuture<'_, Result<Answers, Failure>> {
        async move {
            self.opens.acquire().await.unwrap().forget();
            tracing::info!("carried");
            let number = |_: Joiner| {
                let given = self.given.fetch_add(1, Ordering::Relaxed) as u64 + 1;
                let counters = QueueCounters::new(given, 0);
                let (number, place_status) =
                    (QueueNumber::new(given).unwrap(), PlaceStatus::Waiting);
                let incarnation = Incarnation::new(1).unwrap();
                Ok(Joined { incarnation, number, rejoined: false, place_status, counters })
            };
            Ok(joiners.into_iter().map(number).collect())
        }
        .boxed()
    }
}

/// The recorded events of spans, by span id: 1, 2, 3 …
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    spans: Vec<Seen>,
    entered: Vec<u64>,
    follows: Vec<(u64, u64)>,
    /// The spans that events were in.
    events: Vec<Option<u64>>,
    closed: Vec<u64>,
    references: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    metadata: &'static Metadata<'static>,
    is_root: bool,
    fields: Vec<String>,
}

impl Recorder {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap()
    }
}

struct Fields<'f>(&'f mut Vec<String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push(format!("{field}={value:?}"));
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Vec::new();
        span.record(&mut Fields(&mut fields));
        let mut recorded = self.recorded();
        recorded.spans.push(Seen { metadata: span.metadata(), is_root: span.is_root(), fields });
        recorded.references.push(1);
        Id::from_u64(recorded.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.recorded().follows.push((span.into_u64(), follows.into_u64()));
    }

    fn event(&self, _: &Event<'_>) {
        let mut recorded = self.recorded();
        let current = recorded.entered.last().copied();
        recorded.events.push(current);
    }

    fn enter(&self, span: &Id) {
        self.recorded().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.recorded().entered.pop(), Some(span.into_u64()));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.recorded().references[id.into_u64() as usize - 1] += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut recorded = self.recorded();
        let references = &mut recorded.references[id.into_u64() as usize - 1];
        *references -= 1;
        let is_closed = *references == 0;
        if is_closed {
            recorded.closed.push(id.into_u64());
        }
        is_closed
    }

    fn current_span(&self) -> Current {
        let recorded = self.recorded();
        match recorded.entered.last() {
            Some(id) => Current::new(Id::from_u64(*id), recorded.spans[*id as usize - 1].metadata),
            None => Current::none(),
        }
    }
}

fn joiner(id: u64) -> Joiner {
    Joiner { user: UserId::new(id).unwrap(), presented: None }
}

fn joins(gate: &Arc<Gate>, batching: Batching) -> Arc<JoinBatcher<Gate>> {
    Arc::new(JoinBatcher::new(Arc::clone(gate), batching))
}

/// Joins in its own task, inside this span.
fn send(joins: &Arc<JoinBatcher<Gate>>, id: u64, span: Span) -> tokio::task::JoinHandle<u64> {
    let joins = Arc::clone(joins);
    let join =
        async move { joins.join(joiner(id), NumberBounds::NONE).await.unwrap().number.get() };
    tokio::spawn(join.instrument(span))
}

/// Runs every task until it blocks. There is one thread, so this is quick.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test]
async fn a_batch_has_its_own_trace_linked_to_all_its_callers() {
    let recorder = Recorder::default();
    let _watched = tracing::subscriber::set_default(recorder.clone());
    let gate = Gate::shut();
    let joins = joins(&gate, Batching { in_flight: 1, ..patient() });
    let callers = [info_span!("one"), info_span!("other")];
    let requested = [
        send(&joins, 1, callers[0].clone()),
        send(&joins, 2, Span::none()),
        send(&joins, 3, callers[1].clone()),
    ];
    settle().await;
    gate.opens.add_permits(1);
    for (nth, joined) in requested.into_iter().enumerate() {
        assert_eq!(joined.await.unwrap(), nth as u64 + 1);
    }
    let recorded = recorder.recorded();
    assert_eq!(recorded.spans.len(), 3);
    let batch = &recorded.spans[2];
    assert_eq!(
        (batch.metadata.name(), batch.metadata.target()),
        ("queue.join batch", "boxoffice::trace")
    );
    assert!(batch.is_root);
    assert_eq!(batch.fields, ["db.system.name=\"redis\"", "db.operation.batch.size=3"]);
    assert_eq!(recorded.follows, [(3, 1), (3, 2)]);
    assert_eq!(recorded.events, [Some(3)], "the batch runs inside its span");
}

#[tokio::test]
async fn an_untraced_batch_has_no_span() {
    let recorder = Recorder::default();
    let _watched = tracing::subscriber::set_default(recorder.clone());
    let gate = Gate::shut();
    let joins = joins(&gate, Batching::default());
    gate.opens.add_permits(1);
    assert_eq!(send(&joins, 1, Span::none()).await.unwrap(), 1);
    let recorded = recorder.recorded();
    assert_eq!((recorded.spans.len(), &recorded.events[..]), (0, &[None][..]));
}

#[tokio::test]
async fn a_dropped_caller_keeps_no_span_open_while_its_batch_is_in_flight() {
    let recorder = Recorder::default();
    let _watched = tracing::subscriber::set_default(recorder.clone());
    let gate = Gate::shut();
    let joins = joins(&gate, Batching::default());
    let requested = send(&joins, 1, info_span!("caller"));
    settle().await;
    requested.abort();
    settle().await;
    assert_eq!(recorder.recorded().closed, [1]);
    gate.opens.add_permits(1);
    settle().await;
    assert_eq!(recorder.recorded().closed, [1, 2]);
}

#[tokio::test]
async fn the_load_counts_waiting_joins_and_sent_batches() {
    let gate = Gate::shut();
    let joins = joins(&gate, Batching { largest: 10, in_flight: 2, ..patient() });
    assert_eq!(joins.load(), QueueLoad { joins_waiting: 0, batches: 0 });
    let requested: Vec<_> = (1..=45).map(|id| send(&joins, id, Span::none())).collect();
    settle().await;
    assert_eq!(joins.load(), QueueLoad { joins_waiting: 25, batches: 2 });
    gate.opens.add_permits(10);
    for joined in requested {
        joined.await.unwrap();
    }
    assert_eq!(joins.load(), QueueLoad { joins_waiting: 0, batches: 5 });
}

/// A runtime of its own, as each HTTP worker has one.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

#[test]
fn an_ending_thread_drops_only_its_own_joins() {
    let gate = Gate::shut();
    let joins = joins(&gate, Batching { largest: 10, in_flight: 1, ..patient() });
    let gone = runtime();
    gone.block_on(async {
        let requested: Vec<_> = (1..=25).map(|id| send(&joins, id, Span::none())).collect();
        settle().await;
        drop(requested);
    });
    assert_eq!(joins.load(), QueueLoad { joins_waiting: 15, batches: 1 });
    let others = Arc::clone(&joins);
    let stays = std::thread::spawn(move || {
        let stays = runtime();
        let requested = stays.block_on(async {
            let requested: Vec<_> = (26..=30).map(|id| send(&others, id, Span::none())).collect();
            settle().await;
            requested
        });
        drop(gone);
        assert_eq!(others.load(), QueueLoad { joins_waiting: 0, batches: 2 });
        gate.opens.add_permits(1);
        for joined in requested {
            stays.block_on(joined).unwrap();
        }
    });
    stays.join().unwrap();
}

#[tokio::test]
async fn a_lane_whose_batch_tasks_were_dropped_starts_new_ones() {
    let gate = Gate::shut();
    let joins = joins(&gate, Batching { in_flight: 1, max_waiting: 2, ..patient() });
    let before = runtime();
    let local = tokio::task::spawn_blocking({
        let joins = Arc::clone(&joins);
        move || {
            // Both on one thread in turn: the batcher is the same.
            before.block_on(async {
                let _asked = send(&joins, 1, Span::none());
                settle().await;
            });
            drop(before);
            gate.opens.add_permits(1);
            runtime().block_on(joins.join(joiner(2), NumberBounds::NONE)).unwrap().number.get()
        }
    });
    assert_eq!(local.await.unwrap(), 1);
    assert_eq!(joins.load().joins_waiting, 0);
}

#[tokio::test]
async fn a_join_beyond_max_waiting_is_refused_at_once() {
    let gate = Gate::shut();
    let joins = joins(
        &gate,
        Batching { largest: 1, in_flight: 1, max_waiting: 2, max_wait: Duration::from_secs(600) },
    );
    let mut requested = Vec::new();
    for id in 1..=3 {
        requested.push(send(&joins, id, Span::none()));
        settle().await;
    }
    let refused = joins.join(joiner(4), NumberBounds::NONE).await.unwrap_err();
    assert!(matches!(
        refused,
        JoinError::Store(error) if error.kind() == domain::PortErrorKind::Overloaded
    ));
    gate.opens.add_permits(3);
    for joined in requested {
        joined.await.unwrap();
    }
    assert_eq!(joins.load().joins_waiting, 0);
}

#[tokio::test]
async fn a_join_that_waited_too_long_is_refused_without_a_call() {
    let gate = Gate::shut();
    let max_wait = Duration::from_millis(500);
    let joins = joins(&gate, Batching { max_wait, ..patient() });
    let first = send(&joins, 1, Span::none());
    settle().await;
    let late = {
        let joins = Arc::clone(&joins);
        tokio::spawn(async move { joins.join(joiner(2), NumberBounds::NONE).await })
    };
    settle().await;
    let begun = Instant::now();
    while begun.elapsed() <= max_wait {
        yield_now().await;
    }
    gate.opens.add_permits(2);
    first.await.unwrap();
    let refused = late.await.unwrap().unwrap_err();
    assert!(matches!(
        refused,
        JoinError::Store(error) if error.kind() == domain::PortErrorKind::Overloaded
    ));
    assert_eq!((gate.given.load(Ordering::Relaxed), joins.load().joins_waiting), (1, 0));
}

/// An executor that first sends in another task, as a connection does.
struct Sender {
    gate: Arc<Gate>,
    seen: Arc<Mutex<Vec<&'static str>>>,
}

impl BatchExecutor for Sender {
    fn carry(
        &self,
        joiners: Vec<Joiner>,
        bounds: NumberBounds,
    ) -> BoxFuture<'_, Result<Answers, Failure>> {
        let seen = Arc::clone(&self.seen);
        async move {
            tokio::spawn(async move { seen.lock().unwrap().push("sent") });
            self.gate.carry(joiners, bounds).await
        }
        .boxed()
    }
}

#[tokio::test]
async fn the_next_batch_is_sent_before_the_callers_of_the_last_are_woken() {
    let (gate, seen) = (Gate::shut(), Arc::default());
    let sender = Arc::new(Sender { gate: Arc::clone(&gate), seen: Arc::clone(&seen) });
    let joins = Arc::new(JoinBatcher::new(sender, patient()));
    for id in 1..=2 {
        let (joins, seen) = (Arc::clone(&joins), Arc::clone(&seen));
        tokio::spawn(async move {
            joins.join(joiner(id), NumberBounds::NONE).await.unwrap();
            seen.lock().unwrap().push("told");
        });
        settle().await;
    }
    gate.opens.add_permits(2);
    settle().await;
    assert_eq!(*seen.lock().unwrap(), ["sent", "sent", "told", "told"]);
}
