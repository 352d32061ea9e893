//! Tokens of other incarnations, and numbers on tokens.

use super::*;

/// The incarnation of a rehearsal.
const OTHER: &str = "4";

fn refused<T: std::fmt::Debug>(answer: Result<T, QueueError>) -> bool {
    matches!(answer, Err(QueueError::Forged(TokenRejected::ForeignIncarnation)))
}

/// A service that has refreshed once, from a store with this snapshot.
async fn refreshed(mut store: MockQueueStore, snapshot: Snapshot) -> QueueService {
    store
        .expect_call_next()
        .returning(move |_, _| Ok(Called { count: 0, snapshot: snapshot.clone() }));
    let service = service_of("main", store);
    service.tick().await.unwrap();
    service
}

fn of(token: &str) -> String {
    format!("{OTHER}:{token}")
}

#[test]
fn a_token_of_another_incarnation_is_refused_without_the_store() {
    run(async {
        let service =
            refreshed(MockQueueStore::new(), snapshot_of(QueueCounters::new(100, 10), &[])).await;
        for number in ["5", "50", "500"] {
            assert!(refused(service.query_status(&of(number)).await), "{number}");
            assert!(refused(service.check(&of(number))), "{number}");
            assert!(refused(service.leave(&of(number)).await), "{number}");
            assert!(
                refused(service.join(UserId::new(7).unwrap(), Some(&of(number))).await),
                "{number}"
            );
        }
        assert_eq!(service.counters(), QueueCounters::new(100, 10), "and moves nothing");
        assert_eq!(service.view.take_shown(), None);
    });
}

#[test]
fn the_first_of_the_highest_shown_numbers_is_kept_until_the_queue_reaches_it() {
    let view = LocalView::new(&AdmissionPolicy::default());
    let shown = |incarnation, number| Shown {
        incarnation: Incarnation::new(incarnation).unwrap(),
        number: QueueNumber::new(number).unwrap(),
    };
    view.note(QueueCounters::new(3, 0));
    for (life, number) in [(1, 3), (1, 4), (1, 5), (2, 5), (1, 4)] {
        view.note_shown(shown(life, number));
    }
    assert_eq!(view.take_shown(), Some(shown(1, 5)));
    assert_eq!(view.take_shown(), None, "the store has received it");
    view.note_shown(shown(1, 6));
    view.note(QueueCounters::new(6, 0));
    assert_eq!(view.take_shown(), None, "the store has reached it");
}

#[test]
fn another_incarnation_is_accepted_while_the_store_may_still_learn_of_it() {
    run(async {
        let known = || snapshot_of(QueueCounters::new(100, 10), &[]);
        let cases = [
            Snapshot { incarnations: Incarnations::default(), ..known() },
            Snapshot { recovers: true, ..known() },
            Snapshot { adopts: true, ..known() },
            Snapshot {
                incarnations: Incarnations::of([life(), Incarnation::new(4).unwrap()]),
                ..known()
            },
        ];
        for snapshot in cases {
            let mut store = MockQueueStore::new();
            store.expect_place_status().returning(|_| Ok(PlaceStatus::Waiting));
            let service = refreshed(store, snapshot.clone()).await;
            assert_eq!(
                service.query_status(&of("50")).await.unwrap().place_status,
                PlaceStatus::Waiting,
                "{snapshot:?}"
            );
        }
        let unseen = service_of("main", MockQueueStore::new());
        assert!(unseen.query_status(&of("50")).await.is_ok(), "before the first refresh");
    });
}

#[test]
fn a_place_of_an_incarnation_reported_by_the_store_is_valid_at_once() {
    run(async {
        let mut store = MockQueueStore::new();
        let late = Incarnation::new(4).unwrap();
        store.expect_join().returning(move |_, _, _| {
            let (number, counters) = (number(101), QueueCounters::new(101, 10));
            Ok(Joined {
                incarnation: late,
                number,
                rejoined: false,
                place_status: PlaceStatus::Waiting,
                counters,
            })
        });
        let service = refreshed(store, snapshot_of(QueueCounters::new(100, 10), &[])).await;
        assert!(refused(service.query_status(&of("101")).await));
        service.join(UserId::new(7).unwrap(), None).await.unwrap();
        assert_eq!(service.query_status(&of("101")).await.unwrap().position.get(), 91);
        assert_eq!(
            service.query_status("50").await.unwrap().position.get(),
            40,
            "and the earlier ones still are"
        );
    });
}

#[test]
fn the_highest_shown_number_is_passed_to_the_next_tick_once() {
    run(async {
        let mut store = MockQueueStore::new();
        store.expect_place_status().returning(|_| Err(down()));
        let steps = [Ok(None), Err(Some(170)), Ok(Some(170)), Ok(None)];
        let mut steps = steps.into_iter();
        store.expect_call_next().times(4).returning(move |_, shown| {
            let shown = shown.map(|shown: Shown| shown.number.get());
            let snapshot = snapshot_of(QueueCounters::new(100, 10), &[]);
            match steps.next().unwrap() {
                Ok(expected) => {
                    assert_eq!(shown, expected);
                    Ok(Called { count: 0, snapshot })
                }
                Err(expected) => {
                    assert_eq!(shown, expected);
                    Err(down())
                }
            }
        });
        let service = service_of("main", store);
        service.tick().await.unwrap();
        for shown in ["100", "150", "170", "160"] {
            service.query_status(shown).await.unwrap();
        }
        service.tick().await.unwrap_err();
        service.tick().await.unwrap();
        service.tick().await.unwrap();
    });
}

/// A snapshot with numbers 101 to 200 skipped.
fn skipping() -> Snapshot {
    let mut vacant = VacantNumbers::default();
    vacant.insert_range(100, 200);
    Snapshot { vacant, ..snapshot_of(QueueCounters::new(250, 10), &[]) }
}

#[test]
fn only_places_the_store_may_not_know_are_looked_up() {
    run(async {
        let mut store = MockQueueStore::new();
        let shown = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = shown.clone();
        store.expect_place_status().returning(move |place| {
            seen.lock().unwrap().push(place.number.get());
            Ok(PlaceStatus::Waiting)
        });
        store.expect_snapshot().times(1).returning(|_| Ok(skipping()));
        let service = refreshed(store, skipping()).await;
        for number in ["100", "101", "200", "201", "250", "251"] {
            assert_eq!(
                service.query_status(number).await.unwrap().place_status,
                PlaceStatus::Waiting
            );
        }
        assert_eq!(*shown.lock().unwrap(), [101, 200, 251], "skipped, and above all issued ones");
    });
}

#[test]
fn while_the_store_is_down_or_in_doubt_the_node_reports_such_places_itself() {
    run(async {
        let mut away = MockQueueStore::new();
        away.expect_place_status().times(1).returning(|_| Err(down()));
        let service = refreshed(away, skipping()).await;
        let status = service.query_status("150").await.unwrap();
        assert_eq!((status.place_status, status.position.get()), (PlaceStatus::Waiting, 91));
        let in_doubt = Snapshot { recovers: true, ..skipping() };
        let service = refreshed(MockQueueStore::new(), in_doubt).await;
        assert_eq!(service.query_status("150").await.unwrap().place_status, PlaceStatus::Waiting);
        let mut service = refreshed(MockQueueStore::new(), skipping()).await;
        service.deps.clock = Arc::new(SteppingClock::default());
        service.deps.stale_after = Duration::ZERO;
        assert!(!service.is_stale(), "at the moment of its refresh");
        let status = service.query_status("150").await.unwrap();
        assert_eq!((status.place_status, status.is_stale), (PlaceStatus::Waiting, true));
    });
}

#[test]
fn a_token_whose_incarnation_the_store_may_adopt_is_presented_to_it() {
    run(async {
        for (adopts, times) in [(true, 2), (false, 0)] {
            let mut store = MockQueueStore::new();
            store.expect_place_status().times(times).returning(|_| Ok(PlaceStatus::Waiting));
            let snapshot = Snapshot { adopts, ..snapshot_of(QueueCounters::new(100, 10), &[]) };
            let service = refreshed(store, snapshot).await;
            for number in ["20", "100"] {
                assert_eq!(service.query_status(&of(number)).await.is_ok(), adopts, "{number}");
            }
        }
    });
}
