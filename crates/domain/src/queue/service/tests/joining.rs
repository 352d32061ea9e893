//! Joining with the token of a place.

use super::*;

/// A clock fixed at this many seconds after tokens were signed.
struct SecondsLater(i64);

impl Clock for SecondsLater {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap()
    }
}

/// A service whose store expects one join that presents this number, and finds it or issues 9.
fn presenting(expected: Option<u64>) -> QueueService {
    let mut store = MockQueueStore::new();
    let expected = expected.map(|n| Shown { incarnation: life(), number: number(n) });
    store.expect_join().withf(move |_, presented, _| *presented == expected).times(1).returning(
        move |_, presented, _| {
            let number = presented.map_or(number(9), |shown: Shown| shown.number);
            let counters = QueueCounters::new(9, 0);
            Ok(Joined {
                incarnation: life(),
                number,
                rejoined: presented.is_some(),
                place_status: PlaceStatus::Waiting,
                counters,
            })
        },
    );
    service_of("main", store)
}

fn holder() -> UserId {
    UserId::new(7).unwrap()
}

#[test]
fn a_token_presents_its_number_to_the_store() {
    run(async {
        let ticket = presenting(Some(4)).join(holder(), Some("4")).await.unwrap();
        assert_eq!(ticket.status.number, number(4));
        let ticket = presenting(None).join(holder(), None).await.unwrap();
        assert_eq!(ticket.status.number, number(9));
    });
}

#[test]
fn a_token_past_its_lifetime_counts_as_none() {
    run(async {
        for (age, presented) in [(3_600, Some(4)), (3_601, None)] {
            let mut service = presenting(presented);
            service.deps.clock = Arc::new(SecondsLater(age));
            service.join(holder(), Some("4")).await.unwrap();
            assert_eq!(service.counts().gone, 0, "an expired token does not fail a join");
        }
    });
}

#[test]
fn a_token_that_is_not_accepted_or_not_the_users_is_refused() {
    run(async {
        let service = service_of("main", MockQueueStore::new());
        let malformed = service.join(holder(), Some("x")).await.unwrap_err();
        assert!(matches!(malformed, QueueError::Forged(TokenRejected::Malformed)));
        let anothers = service.join(UserId::new(8).unwrap(), Some("4")).await.unwrap_err();
        assert!(matches!(anothers, QueueError::Forged(TokenRejected::BadSignature)));
        assert_eq!((service.counts().malformed, service.counts().bad_signature), (1, 1));
    });
}

#[test]
fn a_waiting_place_is_held_without_calling_the_store() {
    run(async {
        // The mock has no expectation for `place_status`: any such call would fail the test.
        let service = service_of("main", store_at(QueueCounters::new(9, 2), &[5]));
        service.tick().await.unwrap();
        assert!(service.holds_place(holder(), "4").await.unwrap());
        assert!(!service.holds_place(holder(), "5").await.unwrap(), "it was released");
    });
}

#[test]
fn a_called_place_is_held_until_the_store_reports_it_gone() {
    run(async {
        let until = Expiry::new(QueueTime::START, QueueTime::START);
        for (place_status, expected) in [
            (Ok(PlaceStatus::Called { until }), true),
            (Ok(PlaceStatus::Active { until }), true),
            (Ok(PlaceStatus::Waiting), true),
            (Ok(PlaceStatus::Gone), false),
            // The join reports the store's failure.
            (Err(PortErrorKind::Unavailable), true),
        ] {
            let mut store = store_at(QueueCounters::new(9, 4), &[]);
            let answer =
                move || place_status.map_err(|kind| PortError::new(kind, Dependency::QUEUE));
            store.expect_place_status().times(1).returning(move |_| answer());
            let service = service_of("main", store);
            service.tick().await.unwrap();
            assert_eq!(
                service.holds_place(holder(), "4").await.unwrap(),
                expected,
                "{place_status:?}"
            );
        }
    });
}

#[test]
fn a_place_past_its_lifetime_is_not_held_and_a_forged_one_is_refused() {
    run(async {
        for (age, expected) in [(3_600, true), (3_601, false)] {
            let mut service = service_of("main", MockQueueStore::new());
            service.deps.clock = Arc::new(SecondsLater(age));
            assert_eq!(service.holds_place(holder(), "4").await.unwrap(), expected, "{age} s");
        }
        let service = service_of("main", MockQueueStore::new());
        let malformed = service.holds_place(holder(), "x").await.unwrap_err();
        assert!(matches!(malformed, QueueError::Forged(TokenRejected::Malformed)));
        let anothers = service.holds_place(UserId::new(8).unwrap(), "4").await.unwrap_err();
        assert!(matches!(anothers, QueueError::Forged(TokenRejected::BadSignature)));
        assert_eq!((service.counts().malformed, service.counts().bad_signature), (1, 1));
    });
}

/// A store that issues number 10,101 at every join.
fn giving() -> MockQueueStore {
    let mut store = MockQueueStore::new();
    store.expect_join().returning(|_, _, _| {
        let (number, counters) = (number(10_101), QueueCounters::new(10_101, 0));
        Ok(Joined {
            incarnation: life(),
            number,
            rejoined: false,
            place_status: PlaceStatus::Waiting,
            counters,
        })
    });
    store
}

/// The snapshot of a store that has skipped ten thousand numbers after a hundred.
fn skipping() -> Snapshot {
    let mut vacant = VacantNumbers::default();
    vacant.insert_range(100, 10_100);
    Snapshot { vacant, ..snapshot_of(QueueCounters::new(10_100, 0), &[]) }
}

#[test]
fn the_node_that_settles_a_checkpoint_knows_the_skipped_numbers_at_once() {
    run(async {
        let mut store = giving();
        store.expect_call_next().returning(|_, _| {
            Ok(Called { count: 0, snapshot: snapshot_of(QueueCounters::START, &[]) })
        });
        store.expect_snapshot().returning(|_| Ok(snapshot_of(QueueCounters::START, &[])));
        store.expect_settle().returning(|_, _| Ok(skipping()));
        let service = reserving(service_of("main", store), &cell(100, 0, 10_100));
        service.tick().await.unwrap();
        service.save_checkpoint().await.unwrap();
        assert_eq!(service.counters(), QueueCounters::new(10_100, 0));
        let ticket = service.join(holder(), None).await.unwrap();
        assert_eq!(ticket.status.position.get(), 101);
    });
}

#[test]
fn a_node_that_lacks_skipped_numbers_takes_a_snapshot_and_retries_the_join() {
    run(async {
        let mut store = MockQueueStore::new();
        let mut joins = 0;
        store.expect_join().times(2).returning(move |_, _, _| {
            joins += 1;
            if joins == 1 {
                return Err(JoinError::ViewBehind);
            }
            let (number, counters) = (number(10_101), QueueCounters::new(10_101, 0));
            Ok(Joined {
                incarnation: life(),
                number,
                rejoined: false,
                place_status: PlaceStatus::Waiting,
                counters,
            })
        });
        store.expect_snapshot().times(1).returning(|_| Ok(skipping()));
        let service = service_of("main", store);
        let ticket = service.join(holder(), None).await.unwrap();
        assert_eq!(ticket.status.position.get(), 101);
    });
}

#[test]
fn a_node_that_stays_behind_is_not_ready() {
    run(async {
        let mut store = MockQueueStore::new();
        store.expect_join().times(2).returning(|_, _, _| Err(JoinError::ViewBehind));
        store.expect_snapshot().times(1).returning(|_| Ok(skipping()));
        let refused = service_of("main", store).join(holder(), None).await.unwrap_err();
        assert!(
            matches!(refused, QueueError::Store(error) if error.kind() == PortErrorKind::NotReady)
        );
    });
}

#[test]
fn reserved_numbers_may_be_issued_in_a_generation_the_store_reports_as_settled() {
    run(async {
        let mut store = giving();
        let mut reports = [(1, true), (2, true), (3, false)].into_iter();
        store.expect_call_next().returning(move |_, _| {
            let (generation, is_settled) = reports.next().unwrap();
            let snapshot =
                Snapshot { generation, is_settled, ..snapshot_of(QueueCounters::START, &[]) };
            Ok(Called { count: 0, snapshot })
        });
        store.expect_snapshot().returning(|_| Ok(snapshot_of(QueueCounters::START, &[])));
        store.expect_settle().returning(|_, _| Ok(snapshot_of(QueueCounters::START, &[])));
        let service = reserving(service_of("main", store), &cell(100, 0, 10_100));
        service.tick().await.unwrap();
        service.save_checkpoint().await.unwrap();
        service.join(holder(), None).await.unwrap();
        service.tick().await.unwrap();
        service.join(holder(), None).await.unwrap();
        service.tick().await.unwrap();
        let refused = service.join(holder(), None).await;
        assert!(matches!(refused, Err(QueueError::Store(_))), "{refused:?}");
    });
}
