//! The use cases, on ports that respond at once.

use std::pin::pin;
use std::task::{Context, Waker};

use super::*;
use crate::queue::ports::{Joined, MockQueueStore, MockTokenSigner};
use crate::queue::{
    Checkpoint, CheckpointStore, Incarnation, Incarnations, Occupancy, OutcomeCounts, Snapshot,
    VacantNumbers, WaitLimit,
};
use crate::{Dependency, PortErrorKind, Timestamp};

/// Runs a use case whose ports respond at once, so nothing waits.
fn run(test: impl Future<Output = ()>) {
    let polled = pin!(test).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready(), "a use case waits for more than its ports");
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// A clock that advances by a second with each reading.
#[derive(Default)]
struct SteppingClock(std::sync::atomic::AtomicI64);

impl Clock for SteppingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)).unwrap()
    }
}

fn number(n: u64) -> QueueNumber {
    QueueNumber::new(n).unwrap()
}

/// The incarnation of the queue in these tests.
fn life() -> Incarnation {
    Incarnation::new(5).unwrap()
}

/// A signer whose tokens are the bare number, of queue `main`. Tokens of another incarnation begin
/// with its number and a colon.
fn plain_sealer() -> MockTokenSigner {
    let mut signer = MockTokenSigner::new();
    signer.expect_sign().returning(|place| WaitingToken::new(place.number.to_string()));
    signer.expect_verify().returning(|text| {
        let (incarnation, number) = match text.split_once(':') {
            Some((incarnation, number)) => {
                (Incarnation::new(incarnation.parse().unwrap()).unwrap(), number)
            }
            None => (life(), text),
        };
        let number = number
            .parse()
            .ok()
            .and_then(|n| QueueNumber::new(n).ok())
            .ok_or(TokenRejected::Malformed)?;
        let (queue, user) = (QueueId::parse("main").unwrap(), UserId::new(7).unwrap());
        Ok(TokenClaims { queue, incarnation, number, user, issued_at: Timestamp::UNIX_EPOCH })
    });
    signer
}

fn service_of(queue: &str, store: MockQueueStore) -> QueueService {
    QueueService::new(QueueServiceDeps {
        queue: QueueId::parse(queue).unwrap(),
        policy: AdmissionPolicy::default(),
        poll_interval: PollInterval::new(Duration::from_secs(1), Duration::from_secs(30)).unwrap(),
        token_ttl: Duration::from_secs(3_600),
        stale_after: Duration::from_secs(1),
        store: Arc::new(store),
        signer: Arc::new(plain_sealer()),
        reserve: None,
        clock: Arc::new(StoppedClock),
    })
}

/// The snapshot of a store in its first generation that has read its checkpoint.
fn snapshot_of(counters: QueueCounters, abandoned: &[u64]) -> Snapshot {
    Snapshot {
        counters,
        vacant: VacantNumbers::of(abandoned.iter().copied()),
        called: 0,
        active: 0,
        outcomes: OutcomeCounts::default(),
        occupancy: Occupancy::default(),
        generation: 1,
        incarnations: Incarnations::of([life()]),
        adopts: false,
        is_settled: true,
        recovers: false,
        may_join: true,
        at: QueueTime::START,
    }
}

fn store_at(counters: QueueCounters, abandoned: &'static [u64]) -> MockQueueStore {
    let mut store = MockQueueStore::new();
    let snapshot = move || snapshot_of(counters, abandoned);
    store.expect_call_next().returning(move |_, _| Ok(Called { count: 0, snapshot: snapshot() }));
    store.expect_snapshot().returning(move |_| Ok(snapshot()));
    store.expect_settle().returning(move |_, _| Ok(snapshot()));
    store
}

/// A store whose successive steps find the queue at these counters.
fn store_at_each(lines: &'static [(u64, u64)]) -> MockQueueStore {
    let mut store = MockQueueStore::new();
    let mut lines = lines.iter();
    store.expect_call_next().returning(move |_, _| {
        let (last, serving) = *lines.next().unwrap();
        let outcomes = OutcomeCounts { claimed: 5, ..OutcomeCounts::default() };
        let snapshot = snapshot_of(QueueCounters::new(last, serving), &[]);
        let snapshot = Snapshot { called: 3, active: 4, recovers: true, outcomes, ..snapshot };
        Ok(Called { count: 2, snapshot })
    });
    store
}

fn down() -> PortError {
    PortError::new(PortErrorKind::Unavailable, Dependency::QUEUE)
}

#[test]
fn status_queries_of_waiting_people_call_no_store() {
    run(async {
        // The mock has no expectation for `place_status`: any such call would fail the test.
        let service = service_of("main", store_at(QueueCounters::new(1_000, 200), &[250, 300]));
        service.tick().await.unwrap();
        let status = service.query_status("700").await.unwrap();
        assert_eq!(status.place_status, PlaceStatus::Waiting);
        assert_eq!(status.position.get(), 498);
        assert_eq!(status.eta, Duration::from_millis(4_980));
        assert_eq!(status.wait_limit, Some(WaitLimit::Rate));
        assert_eq!(
            service.query_status("300").await.unwrap().place_status,
            PlaceStatus::Gone,
            "300 left"
        );
        assert!(matches!(service.admit("300").await, Err(QueueError::Gone)));
    });
}

#[test]
fn while_the_store_recovers_the_wait_limit_is_recovery() {
    run(async {
        let service = service_of("main", store_at_each(&[(1_000, 200)]));
        service.tick().await.unwrap();
        assert_eq!(
            service.query_status("700").await.unwrap().wait_limit,
            Some(WaitLimit::Recovery)
        );
    });
}

#[test]
fn a_tick_reports_the_waits_of_the_people_it_found_called() {
    run(async {
        let mut service =
            service_of("main", store_at_each(&[(0, 0), (1_000, 0), (1_000, 500), (1_000, 1_000)]));
        service.deps.clock = Arc::new(SteppingClock::default());
        for _ in 0..2 {
            assert!(service.tick().await.unwrap().waits.is_empty());
        }
        let step = service.tick().await.unwrap();
        assert_eq!(step.called.count, 2);
        // They joined in the second before a snapshot that promised 10 s to the last of a thousand,
        // and were seen called a second later.
        let expected = |people, waited, promised| Wait {
            people,
            waited: Duration::from_millis(waited),
            promised: Duration::from_millis(promised),
        };
        assert_eq!(step.waits, [expected(500, 1_750, 2_500)]);
        assert_eq!(service.tick().await.unwrap().waits, [expected(500, 2_250, 7_500)]);
    });
}

#[test]
fn admitting_a_number_not_called_calls_no_store() {
    run(async {
        let service = service_of("main", store_at(QueueCounters::new(10, 2), &[]));
        service.tick().await.unwrap();
        let Err(QueueError::NotYet(status)) = service.admit("6").await else {
            panic!("not called yet")
        };
        assert_eq!(status.position.get(), 4);
    });
}

#[test]
fn the_floor_of_a_join_comes_from_the_nodes_view_and_not_from_tokens() {
    run(async {
        let mut store = store_at(QueueCounters::new(50, 20), &[]);
        store.expect_place_status().returning(|_| Err(down()));
        store
            .expect_join()
            .withf(|_, _, bounds| bounds.floor == QueueCounters::new(50, 20))
            .times(1)
            .returning(|_, _, bounds| {
                let counters = QueueCounters::new(51, bounds.floor.serving());
                Ok(Joined {
                    incarnation: life(),
                    number: number(51),
                    rejoined: false,
                    place_status: PlaceStatus::Waiting,
                    counters,
                })
            });
        let service = service_of("main", store);
        service.tick().await.unwrap();
        service.query_status("90").await.unwrap();
        let ticket = service.join(UserId::new(7).unwrap(), None).await.unwrap();
        assert_eq!(ticket.token.as_str(), "51");
        assert_eq!(service.counters(), QueueCounters::new(51, 20));
    });
}

#[test]
fn a_token_of_another_queue_is_foreign() {
    run(async {
        let service = service_of("other", MockQueueStore::new());
        let refused = |error| matches!(error, QueueError::Forged(TokenRejected::ForeignQueue));
        assert!(refused(service.query_status("1").await.unwrap_err()));
        assert!(refused(service.admit("1").await.unwrap_err()));
        assert!(refused(service.leave("1").await.unwrap_err()));
        assert_eq!(service.counters(), QueueCounters::default(), "and moves nothing");
    });
}

#[test]
fn a_token_of_a_sale_that_is_over_moves_nothing() {
    run(async {
        let mut signer = MockTokenSigner::new();
        signer.expect_verify().returning(|_| {
            let (queue, user) = (QueueId::parse("main").unwrap(), UserId::new(7).unwrap());
            let issued_at = Timestamp::UNIX_EPOCH - Duration::from_secs(3_601);
            Ok(TokenClaims {
                queue,
                incarnation: life(),
                number: number(1_000_000),
                user,
                issued_at,
            })
        });
        let mut service = service_of("main", MockQueueStore::new());
        service.deps.signer = Arc::new(signer);
        assert!(matches!(service.query_status("old").await, Err(QueueError::Gone)));
        assert!(matches!(service.leave("old").await, Err(QueueError::Gone)));
        assert_eq!(service.counters(), QueueCounters::default());
    });
}

#[test]
fn leaving_with_an_unknown_number_calls_the_store_once() {
    run(async {
        let mut store = store_at(QueueCounters::default(), &[]);
        store.expect_release().times(1).returning(|_| Err(ReleaseError::NotFound));
        assert!(matches!(service_of("main", store).leave("40").await, Err(QueueError::Gone)));
    });
}

#[test]
fn a_store_that_is_down_is_distinguished_and_leaves_the_view_as_it_was() {
    run(async {
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _, _| Err(down().into()));
        store.expect_call_next().returning(|_, _| Err(down()));
        store.expect_release().returning(|_| Err(down().into()));
        let service = service_of("main", store);
        assert!(matches!(
            service.join(UserId::new(7).unwrap(), None).await,
            Err(QueueError::Store(_))
        ));
        assert!(matches!(service.leave("3").await, Err(QueueError::Store(_))));
        assert_eq!(service.tick().await.unwrap_err().kind(), PortErrorKind::Unavailable);
        assert_eq!(
            service.query_status("3").await.unwrap().position.get(),
            3,
            "status queries still work"
        );
    });
}

/// A checkpoint in a cell.
#[derive(Default)]
struct Cell(std::sync::Mutex<Option<Checkpoint>>);

#[async_trait::async_trait]
impl CheckpointStore for Cell {
    async fn load(&self, _: QueueId) -> Result<Option<Checkpoint>, PortError> {
        Ok(*self.0.lock().unwrap())
    }

    async fn save(&self, _: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError> {
        let mut cell = self.0.lock().unwrap();
        let remembered = cell.map_or(checkpoint, |before| before.raised_to(checkpoint));
        Ok(*cell.insert(remembered))
    }
}

fn reserving(mut service: QueueService, cell: &Arc<Cell>) -> QueueService {
    service.reserved = Some(Reserved::new(NumberReservation { store: cell.clone(), numbers: 100 }));
    service
}

fn cell(last: u64, serving: u64, ceiling: u64) -> Arc<Cell> {
    let checkpoint = Checkpoint::new(QueueCounters::new(last, serving), ceiling);
    Arc::new(Cell(std::sync::Mutex::new(Some(checkpoint))))
}

#[test]
fn nobody_joins_before_the_checkpoint_was_read() {
    run(async {
        let mut store = store_at(QueueCounters::START, &[]);
        store.expect_join().withf(|_, _, bounds| bounds.ceiling == 100).times(1).returning(
            |_, _, bounds| {
                let (number, counters) = (number(1), QueueCounters::new(1, bounds.floor.serving()));
                Ok(Joined {
                    incarnation: life(),
                    number,
                    rejoined: false,
                    place_status: PlaceStatus::Waiting,
                    counters,
                })
            },
        );
        let service = reserving(service_of("main", store), &Arc::default());
        let user = UserId::new(7).unwrap();
        assert!(matches!(service.join(user, None).await, Err(QueueError::Store(_))));
        service.save_checkpoint().await.unwrap();
        let unseen = service.join(user, None).await;
        assert!(matches!(unseen, Err(QueueError::Store(_))), "the generation is unknown");
        service.tick().await.unwrap();
        service.join(user, None).await.unwrap();
    });
}

#[test]
fn more_numbers_are_reserved_before_they_are_used_up() {
    run(async {
        let cell = cell(0, 0, 100);
        let service =
            reserving(service_of("main", store_at(QueueCounters::new(60, 0), &[])), &cell);
        service.save_checkpoint().await.unwrap();
        service.tick().await.unwrap();
        service.save_checkpoint().await.unwrap();
        let remembered = cell.0.lock().unwrap().unwrap();
        assert_eq!(remembered.counters, QueueCounters::new(60, 0));
        assert!(remembered.ceiling >= 160, "{remembered:?}");
    });
}

#[test]
fn a_full_line_says_when_to_try_again() {
    run(async {
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _, _| Err(JoinError::QueueFull));
        let service = service_of("main", store);
        let Err(QueueError::QueueFull { retry_after }) =
            service.join(UserId::new(7).unwrap(), None).await
        else {
            panic!("the queue is full")
        };
        assert_eq!(retry_after, Duration::from_secs(1));
    });
}

mod admission;
mod counts;
mod incarnations;
mod joining;
mod status;
