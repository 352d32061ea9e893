//! Nodes that reserve numbers in one checkpoint, with a store that may be lost.

use std::pin::pin;
use std::task::{Context, Waker};

use async_trait::async_trait;

use super::*;
use crate::queue::{
    AdmissionPolicy, Arrival, Called, ClaimError, Incarnation, JoinError, JoinStep, Joined, NodeId,
    NumberBounds, PlaceStatus, ProcessId, QueueState, ReleaseError, Session, Shown, Snapshot,
    TokenClaims, UserId, Visit, Witness,
};
use crate::{Dependency, PortErrorKind, Timestamp};

const RECOVERY: std::time::Duration = std::time::Duration::from_secs(2);
const NUMBERS: u64 = 10_000;

/// Runs a future that never waits.
fn run<T>(step: impl Future<Output = T>) -> T {
    match pin!(step).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("nothing here waits"),
    }
}

fn queue() -> QueueId {
    QueueId::parse("main").unwrap()
}

/// The incarnations in tests without a store.
fn lives() -> Incarnations {
    Incarnations::of([Incarnation::new(5).unwrap()])
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A store, its server's clock, and the number of snapshots requested.
struct Store(Mutex<(QueueState, u64, u64)>);

impl Store {
    fn new() -> Self {
        let state = QueueState::new(AdmissionPolicy::default(), RECOVERY);
        Self(Mutex::new((state, 1_000_000, 0)))
    }

    fn lose(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = QueueState::new(AdmissionPolicy::default(), RECOVERY);
    }

    fn step<T>(
        &self,
        counters: QueueCounters,
        step: impl FnOnce(&mut QueueState, &Visit) -> T,
    ) -> T {
        let mut guard = self.0.lock().unwrap();
        let (state, clock, _) = &mut *guard;
        let mut visit = Visit {
            clock: *clock,
            process: ProcessId(1),
            arrival: Arrival::Anew,
            witness: Witness {
                node: NodeId(1),
                counters,
                needs_checkpoint: true,
                ..Witness::default()
            },
            is_at_limit: false,
        };
        visit.witness.generation = state.marks().generation;
        visit.witness.version = state.marks().version;
        state.begin(&visit);
        visit.witness.generation = state.marks().generation;
        visit.witness.replayed = state.marks().generation;
        step(state, &visit)
    }

    /// Advances time past any pause.
    fn rest(&self) {
        for _ in 0..5 {
            self.0.lock().unwrap().1 += 1_000_000;
            self.step(QueueCounters::START, QueueState::refresh);
        }
    }

    fn join(&self, user: u64, ceiling: u64) -> Option<u64> {
        let user = UserId::new(user).unwrap();
        match self.step(QueueCounters::START, |state, visit| state.join(visit, user, None, ceiling))
        {
            JoinStep::Holds { number, .. } => Some(number.get()),
            JoinStep::Full | JoinStep::AboveCeiling | JoinStep::NotReady | JoinStep::ViewBehind => {
                None
            }
        }
    }

    fn counters(&self) -> QueueCounters {
        self.0.lock().unwrap().0.marks().counters
    }

    fn incarnations(&self) -> Incarnations {
        self.0.lock().unwrap().0.incarnations()
    }

    fn joined(&self) -> u64 {
        self.0.lock().unwrap().0.snapshot().outcomes.joined
    }

    fn snapshots(&self) -> u64 {
        self.0.lock().unwrap().2
    }
}

#[async_trait]
impl QueueStore for Store {
    async fn join(
        &self,
        _: UserId,
        _: Option<Shown>,
        _: NumberBounds,
    ) -> Result<Joined, JoinError> {
        unreachable!("not used by any test")
    }

    async fn call_next(&self, _: QueueCounters, _: Option<Shown>) -> Result<Called, PortError> {
        unreachable!("not used by any test")
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        let snapshot = self.step(floor, |state, visit| {
            state.refresh(visit);
            state.snapshot()
        });
        self.0.lock().unwrap().2 += 1;
        Ok(snapshot)
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        Ok(self.step(QueueCounters::START, |state, _| {
            state.settle(generation, checkpoint);
            state.snapshot()
        }))
    }

    async fn place_status(&self, _: &TokenClaims) -> Result<PlaceStatus, PortError> {
        unreachable!("not used by any test")
    }

    async fn claim(&self, _: &TokenClaims) -> Result<Session, ClaimError> {
        unreachable!("not used by any test")
    }

    async fn release(&self, _: &TokenClaims) -> Result<(), ReleaseError> {
        unreachable!("not used by any test")
    }
}

/// A checkpoint in a cell, and whether it can be reached.
struct Cell(Mutex<Option<Checkpoint>>, std::sync::atomic::AtomicBool);

impl Cell {
    fn of(checkpoint: Option<Checkpoint>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(checkpoint), true.into()))
    }

    fn read(&self) -> Option<Checkpoint> {
        *self.0.lock().unwrap()
    }

    fn reach(&self) -> Result<(), PortError> {
        let is_there = self.1.load(Ordering::Relaxed);
        is_there
            .then_some(())
            .ok_or_else(|| PortError::new(PortErrorKind::Unavailable, Dependency::POSTGRES))
    }
}

#[async_trait]
impl CheckpointStore for Cell {
    async fn load(&self, _: QueueId) -> Result<Option<Checkpoint>, PortError> {
        self.reach()?;
        Ok(self.read())
    }

    async fn save(&self, _: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        self.reach()?;
        let mut cell = self.0.lock().unwrap();
        let remembered = cell.map_or(checkpoint, |before| before.raised_to(checkpoint));
        Ok(*cell.insert(remembered))
    }
}

fn node(cell: &Arc<Cell>) -> Reserved {
    Reserved::new(NumberReservation { store: cell.clone(), numbers: NUMBERS })
}

/// A node's work each second, as far as checkpoints are concerned.
fn round(node: &Reserved, store: &Store, now: i64) {
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    run(node.settle(queue(), store, generation)).unwrap();
    if node.ceiling(generation, false).is_some() {
        run(node.save(
            queue(),
            store.counters(),
            store.incarnations(),
            store.joined(),
            second(now),
        ))
        .unwrap();
    }
}

#[test]
fn three_nodes_after_a_total_loss_skip_one_reserve() {
    let (store, cell) =
        (Store::new(), Cell::of(Some(Checkpoint::new(QueueCounters::new(100, 0), 10_100))));
    let nodes = [node(&cell), node(&cell), node(&cell)];
    for now in 0..3 {
        for node in &nodes {
            round(node, &store, now);
        }
    }
    store.rest();
    for now in 3..6 {
        for node in &nodes {
            round(node, &store, now);
        }
    }
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    for node in &nodes {
        assert!(node.ceiling(generation, false).unwrap() >= 20_000);
    }
    assert_eq!(store.join(1, nodes[2].ceiling(generation, false).unwrap()), Some(10_101));
    assert_eq!(cell.read().unwrap().ceiling, 20_100, "a raise is not a rush");
    // The next loss skips the next reserve.
    round(&nodes[0], &store, 7);
    store.lose();
    let nodes = [node(&cell), node(&cell), node(&cell)];
    nodes.iter().for_each(|node| round(node, &store, 8));
    store.rest();
    nodes.iter().for_each(|node| round(node, &store, 9));
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    assert_eq!(store.join(2, nodes[0].ceiling(generation, false).unwrap()), Some(20_102));
}

#[test]
fn no_number_may_be_issued_before_the_checkpoint_is_read_for_this_generation() {
    let (store, cell) =
        (Store::new(), Cell::of(Some(Checkpoint::new(QueueCounters::new(100, 0), 10_100))));
    let node = node(&cell);
    assert_eq!((node.ceiling(0, true), node.ceiling(1, true)), (None, None));
    run(node.settle(queue(), &store, 0)).unwrap();
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    assert_eq!(node.ceiling(generation, false), Some(10_100));
    assert_eq!(node.ceiling(generation + 1, false), None);
    assert_eq!(node.ceiling(0, false), None);
}

#[test]
fn the_checkpoint_is_read_once_for_each_generation() {
    let (store, cell) = (Store::new(), Cell::of(None));
    let node = node(&cell);
    run(node.settle(queue(), &store, 0)).unwrap();
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    assert_eq!(node.ceiling(generation, false), Some(0), "nothing is reserved");
    let before = store.snapshots();
    cell.1.store(false, Ordering::Relaxed);
    run(node.settle(queue(), &store, generation)).unwrap();
    assert_eq!(store.snapshots(), before, "no further snapshot is requested");
    store.lose();
    store.0.lock().unwrap().1 += 1_000_000;
    let next = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    assert_ne!(next, generation);
    assert!(run(node.settle(queue(), &store, next)).is_err());
    assert_eq!(node.ceiling(next, false), None);
    cell.1.store(true, Ordering::Relaxed);
    run(node.settle(queue(), &store, next)).unwrap();
    assert_eq!(node.ceiling(next, false), Some(0));
}

#[test]
fn reserved_numbers_may_be_issued_in_the_next_settled_generation_without_another_reading() {
    let (store, cell) =
        (Store::new(), Cell::of(Some(Checkpoint::new(QueueCounters::new(100, 0), 10_100))));
    let [old, fresh] = [node(&cell), node(&cell)];
    run(old.settle(queue(), &store, 0)).unwrap();
    let generation = run(store.snapshot(QueueCounters::START)).unwrap().generation;
    cell.1.store(false, Ordering::Relaxed);
    assert!(run(old.settle(queue(), &store, generation + 1)).is_err());
    assert_eq!(old.ceiling(generation + 1, true), Some(10_100));
    assert_eq!(old.ceiling(generation + 1, false), None);
    assert_eq!(fresh.ceiling(generation + 1, true), None, "it knows no reserve");
}

/// The store settles nothing for a generation that is over.
#[test]
fn a_reading_for_a_generation_that_is_over_reserves_nothing() {
    use crate::queue::ports::MockQueueStore;
    let cell = Cell::of(Some(Checkpoint::new(QueueCounters::new(100, 0), 10_100)));
    let node = node(&cell);
    let mut store = MockQueueStore::new();
    let unsettled = || {
        let snapshot = Store::new().step(QueueCounters::START, |state, _| state.snapshot());
        Snapshot { generation: 5, is_settled: false, ..snapshot }
    };
    store.expect_snapshot().returning(move |_| Ok(unsettled()));
    store.expect_settle().returning(move |_, _| Ok(unsettled()));
    run(node.settle(queue(), &store, 5)).unwrap();
    assert_eq!(node.ceiling(5, false), None);
}

/// A node in its second minute that reserves up to `ceiling`.
fn settled(cell: &Arc<Cell>, counters: QueueCounters, joined: u64) -> Reserved {
    let node = node(cell);
    node.ceiling.store(cell.read().map_or(0, |checkpoint| checkpoint.ceiling), Ordering::Relaxed);
    run(node.save(queue(), counters, lives(), joined, second(60))).unwrap();
    node
}

#[test]
fn a_moving_queue_is_saved_every_second_and_a_resting_one_is_not() {
    let cell = Cell::of(None);
    let node = settled(&cell, QueueCounters::new(10, 5), 10);
    assert_eq!(
        cell.read(),
        Some(Checkpoint::new(QueueCounters::new(10, 5), 10 + NUMBERS).with_incarnations(lives()))
    );
    let save = |counters, now_ms| {
        let now = Timestamp::from_millisecond(now_ms).unwrap();
        run(node.save(queue(), counters, lives(), 10, now)).unwrap();
        cell.read().unwrap().counters
    };
    assert_eq!(save(QueueCounters::new(11, 5), 60_999), QueueCounters::new(10, 5));
    assert_eq!(save(QueueCounters::new(11, 5), 61_000), QueueCounters::new(11, 5));
    *cell.0.lock().unwrap() = None;
    let now = Timestamp::from_second(90).unwrap();
    run(node.save(queue(), QueueCounters::new(11, 5), lives(), 11, now)).unwrap();
    assert_eq!(cell.read(), None, "nothing has moved");
    assert_eq!(save(QueueCounters::new(11, 6), 91_000), QueueCounters::new(11, 6));
}

#[test]
fn numbers_are_reserved_before_half_of_the_reserve_is_used_up() {
    let cell = Cell::of(None);
    let node = settled(&cell, QueueCounters::new(1, 0), 1);
    let half = NUMBERS / 2;
    let save = |last, joined| {
        run(node.save(queue(), QueueCounters::new(last, 0), lives(), joined, second(60))).unwrap();
        node.ceiling.load(Ordering::Relaxed)
    };
    assert_eq!(save(half, 1), 1 + NUMBERS);
    assert_eq!(save(1 + half, 1), 1 + half + NUMBERS);
    let reserved = Checkpoint::new(QueueCounters::new(1 + half, 0), 1 + half + NUMBERS);
    assert_eq!(cell.read().unwrap(), reserved.with_incarnations(lives()));
    // This node may issue numbers that another node reserved.
    *cell.0.lock().unwrap() = Some(Checkpoint::new(QueueCounters::new(half, 0), 90_000));
    assert_eq!(save(1 + half + half, 1), 90_000);
}

#[test]
fn in_a_rush_four_times_the_numbers_issued_since_the_last_save_are_reserved() {
    let cell = Cell::of(None);
    let node = settled(&cell, QueueCounters::new(10, 5), 10);
    let save = |last, joined, now| {
        run(node.save(queue(), QueueCounters::new(last, 5), lives(), joined, second(now))).unwrap();
        cell.read().unwrap().ceiling
    };
    assert_eq!(save(5_010, 5_010, 61), 5_010 + 20_000);
    assert_eq!(save(5_011, 5_011, 62), 25_010, "the rush is over");
    // A lost store counts from the beginning, and one that skipped numbers has not issued them.
    assert_eq!(save(30_000, 100, 63), 30_000 + NUMBERS);
    assert_eq!(save(30_100, 200, 64), 30_100 + NUMBERS);
}

#[test]
fn the_first_save_of_a_node_is_never_a_rush() {
    let cell = Cell::of(None);
    settled(&cell, QueueCounters::new(1_000_000, 5), 1_000_000);
    assert_eq!(cell.read().unwrap().ceiling, 1_000_000 + NUMBERS);
}

#[test]
fn a_save_that_fails_is_made_up_for_by_the_next() {
    let cell = Cell::of(None);
    let node = settled(&cell, QueueCounters::new(10, 5), 10);
    cell.1.store(false, Ordering::Relaxed);
    assert!(run(node.save(queue(), QueueCounters::new(20, 5), lives(), 20, second(62))).is_err());
    assert_eq!(node.ceiling.load(Ordering::Relaxed), 10 + NUMBERS);
    cell.1.store(true, Ordering::Relaxed);
    run(node.save(queue(), QueueCounters::new(20, 5), lives(), 20, second(62))).unwrap();
    assert_eq!(cell.read().unwrap().counters, QueueCounters::new(20, 5));
}

#[test]
fn an_incarnation_is_saved_at_once_and_a_queue_without_any_is_not_saved() {
    let cell = Cell::of(None);
    let node = node(&cell);
    let save = |incarnations| {
        run(node.save(queue(), QueueCounters::new(10, 5), incarnations, 10, second(60))).unwrap();
        cell.read().map(|known| known.incarnations)
    };
    assert_eq!(save(Incarnations::default()), None);
    assert_eq!(save(lives()), Some(lives()));
    let both = lives().with(Incarnation::new(3).unwrap());
    assert_eq!(save(both), Some(both), "in the same second, though nothing has moved");
    *cell.0.lock().unwrap() = None;
    assert_eq!(save(lives()), None, "they are saved already");
}
