//! Properties of the queue in memory alone: it tolerates a clock that steps back, and its data is
//! bounded.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::{ManualClock, MemoryQueue};
use domain::queue::{
    AdmissionPolicy, NumberBounds, PlaceStatus, PolicySpec, QueueCounters, QueueStore, QueueTime,
    UserId,
};
use domain::{Clock, Timestamp};

fn open(spec: PolicySpec) -> (MemoryQueue, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_second(1_000_000).unwrap()));
    let policy = AdmissionPolicy::new(spec).unwrap();
    (MemoryQueue::new(policy, Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn user(n: u64) -> UserId {
    UserId::new(n).unwrap()
}

#[tokio::test]
async fn a_clock_that_steps_back_neither_reopens_a_call_nor_refills_the_budget() {
    let (store, clock) = open(PolicySpec {
        batch: 2,
        claim_within: Duration::from_secs(10),
        ..PolicySpec::default()
    });
    for n in 1..=10 {
        store.join(user(n), None, NumberBounds::NONE).await.unwrap();
    }
    for _ in 0..10 {
        clock.advance(QueueTime::LONGEST_STEP);
        store.snapshot(QueueCounters::default()).await.unwrap();
    }
    let after_lapse = store.snapshot(QueueCounters::default()).await.unwrap();
    assert_eq!(after_lapse.called, 0);
    clock.set(Timestamp::from_second(1_000_000).unwrap());
    let stepped_back = store.snapshot(QueueCounters::default()).await.unwrap();
    assert_eq!((stepped_back.called, stepped_back.at), (0, after_lapse.at));
    let calls = store.call_next(QueueCounters::default(), None).await.unwrap().count
        + store.call_next(QueueCounters::default(), None).await.unwrap().count;
    assert_eq!(calls, 2, "one batch, although the clock is set back");
}

#[tokio::test]
async fn people_who_left_do_not_make_the_queue_full() {
    let spec = PolicySpec {
        batch: 1,
        every: Duration::from_secs(3600),
        max_waiting: 50,
        ..PolicySpec::default()
    };
    let (store, _clock) = open(spec);
    store.join(user(1), None, NumberBounds::NONE).await.unwrap();
    store.join(user(2), None, NumberBounds::NONE).await.unwrap();
    let mut refused = 0;
    for n in 3..1_000 {
        match store.join(user(n), None, NumberBounds::NONE).await {
            Ok(joined) => {
                assert_eq!(joined.place_status, PlaceStatus::Waiting);
                let place = domain::queue::TokenClaims {
                    queue: domain::queue::QueueId::parse("main").unwrap(),
                    incarnation: joined.incarnation,
                    number: joined.number,
                    user: user(n),
                    issued_at: Timestamp::UNIX_EPOCH,
                };
                store.release(&place).await.unwrap();
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused, 0, "one person waits, of at most fifty");
}
