//! Statuses, by the age of the node's view.

use super::*;

/// A clock that the test sets, in milliseconds since tokens were signed.
#[derive(Clone, Default)]
struct SetClock(Arc<std::sync::atomic::AtomicI64>);

impl SetClock {
    fn set(&self, ms: i64) {
        self.0.store(ms, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(std::sync::atomic::Ordering::Relaxed)).unwrap()
    }
}

const CALL: Expiry =
    Expiry { at: QueueTime::from_micros(9_000_000), remaining: Duration::from_secs(9) };

/// Numbers 1 to 5 are called as of time 0, and a call lasts 9 seconds more.
async fn service_with_calls() -> (QueueService, SetClock) {
    let mut store = store_at(QueueCounters::new(10, 5), &[]);
    store.expect_place_status().returning(|_| Ok(PlaceStatus::Called { until: CALL }));
    let mut service = service_of("main", store);
    let clock = SetClock::default();
    service.deps.clock = Arc::new(clock.clone());
    service.tick().await.unwrap();
    (service, clock)
}

#[test]
fn a_view_is_stale_when_it_is_older_than_it_may_be() {
    run(async {
        let (service, clock) = service_with_calls().await;
        assert!(!service.is_stale());
        clock.set(1_000);
        assert!(!service.is_stale(), "at the maximum age");
        assert!(service.check("3").is_ok());
        clock.set(1_001);
        assert!(service.is_stale());
        assert!(service.check("3").is_err());
    });
}

#[test]
fn a_node_that_has_never_seen_the_line_has_a_stale_view() {
    assert!(service_of("main", MockQueueStore::new()).is_stale());
}

#[test]
fn the_end_of_a_call_is_a_clock_time_unless_the_view_is_stale() {
    run(async {
        let (service, clock) = service_with_calls().await;
        clock.set(500);
        let status = service.query_status("3").await.unwrap();
        assert_eq!(status.expires_at, Some(Timestamp::from_millisecond(9_500).unwrap()));
        assert!(!status.is_stale);
        clock.set(5_000);
        let status = service.query_status("3").await.unwrap();
        assert_eq!((status.expires_at, status.is_stale), (None, true));
        assert!(status.poll_after.is_some(), "polling still makes sense");
    });
}

#[test]
fn a_slow_full_queue_has_a_long_retry_after() {
    run(async {
        let mut store = MockQueueStore::new();
        store.expect_join().returning(|_, _, _| Err(JoinError::QueueFull));
        let mut service = service_of("main", store);
        let spec = crate::queue::PolicySpec {
            batch: 2,
            every: Duration::from_secs(14),
            ..Default::default()
        };
        service.deps.policy = AdmissionPolicy::new(spec).unwrap();
        let refused = service.join(UserId::new(7).unwrap(), None).await;
        let Err(QueueError::QueueFull { retry_after }) = refused else {
            panic!("the queue is full")
        };
        assert_eq!(retry_after.as_millis(), 7_000, "one call");
    });
}

/// A service with ten slots whose store calls up to number 10 with the join of number 11; the
/// second refresh reports it.
fn service_of_ten_slots(abandoned: &'static [u64]) -> QueueService {
    let mut store = MockQueueStore::new();
    // The node calls the store for a number that it has not seen issued.
    store.expect_place_status().returning(|_| Err(down()));
    let mut lines = [QueueCounters::new(0, 0), QueueCounters::new(400, 10)].into_iter();
    store.expect_call_next().returning(move |_, _| {
        let counters = lines.next().unwrap();
        let open_calls = counters.serving().saturating_sub(abandoned.len() as u64);
        let occupancy = Occupancy { open_calls, ..Occupancy::default() };
        let snapshot = Snapshot { occupancy, ..snapshot_of(counters, abandoned) };
        Ok(Called { count: 0, snapshot })
    });
    store.expect_join().returning(|_, _, _| {
        let (number, counters) = (number(11), QueueCounters::new(11, 10));
        Ok(Joined {
            incarnation: life(),
            number,
            rejoined: false,
            place_status: PlaceStatus::Waiting,
            counters,
        })
    });
    let spec = crate::queue::PolicySpec { max_active: 10, ..Default::default() };
    let deps = service_of("main", store).deps;
    QueueService::new(QueueServiceDeps { policy: AdmissionPolicy::new(spec).unwrap(), ..deps })
}

#[test]
fn people_called_after_the_last_refresh_hold_slots_in_estimates() {
    run(async {
        let told = async |service: &QueueService| {
            let status = service.query_status("11").await.unwrap();
            (status.position.get(), status.eta.as_secs(), status.wait_limit)
        };
        let all = (1, 600, Some(WaitLimit::Slots));
        let service = service_of_ten_slots(&[]);
        service.tick().await.unwrap();
        // A node that has seen no calls yet.
        assert_eq!(told(&service).await, (11, 600, Some(WaitLimit::Slots)));
        let ticket = service.join(UserId::new(7).unwrap(), None).await.unwrap();
        assert_eq!((ticket.status.position.get(), ticket.status.eta.as_secs()), (1, 600));
        assert_eq!(told(&service).await, all);
        service.tick().await.unwrap();
        assert_eq!(told(&service).await, all, "the next refresh reports the same");
        // An abandoned number takes no slot.
        let service = service_of_ten_slots(&[3]);
        service.tick().await.unwrap();
        let ticket = service.join(UserId::new(7).unwrap(), None).await.unwrap();
        assert_eq!((ticket.status.position.get(), ticket.status.eta.as_millis()), (1, 10));
    });
}

#[test]
fn before_the_first_refresh_called_people_hold_at_most_all_slots() {
    run(async {
        for (last, serving, eta) in [(11, 10, 600), (10, 9, 0), (1_000, 999, 600)] {
            let mut store = MockQueueStore::new();
            store.expect_join().returning(move |_, _, _| {
                let (number, counters) = (number(last), QueueCounters::new(last, serving));
                Ok(Joined {
                    incarnation: life(),
                    number,
                    rejoined: false,
                    place_status: PlaceStatus::Waiting,
                    counters,
                })
            });
            let mut service = service_of_ten_slots(&[]);
            service.deps.store = Arc::new(store);
            let ticket = service.join(UserId::new(7).unwrap(), None).await.unwrap();
            assert_eq!(ticket.status.eta.as_secs(), eta, "{last} {serving}");
        }
    });
}
