//! A server at the limit of its memory refuses claims, so no call may lapse.

use std::time::{Duration, Instant};

use adapter_redis::RedisQueueSettings;
use domain::queue::{
    AdmissionPolicy, ClaimError, NumberBounds, PlaceStatus, PolicySpec, QueueCounters, QueueNumber,
    QueueStore as _, TokenClaims,
};
use domain::{PortErrorKind, Timestamp};

use super::{blocking, brisk_settings, server};
use crate::storm::{until, user};
use crate::support::{life_of, ready_nodes, single};

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_sessions_pause_at_the_limit_and_are_usable_after_it() {
    const CALLED: u64 = 10;
    let lasts = Duration::from_secs(4);
    let spec = PolicySpec {
        batch: 40,
        every: Duration::from_secs(1),
        max_active: 10,
        claim_within: lasts,
        session_ttl: lasts,
        ..PolicySpec::default()
    };
    let redis = server();
    let settings = RedisQueueSettings {
        policy: AdmissionPolicy::new(spec).unwrap(),
        remember: Duration::ZERO,
        ..brisk_settings()
    };
    let nodes = ready_nodes(2, &single(redis.address()), &settings).await;
    let node = &nodes[0];
    let place = |person: u64| TokenClaims {
        queue: settings.queue,
        incarnation: life_of(settings.queue),
        number: QueueNumber::new(person).unwrap(),
        user: user(person),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    for person in 1..=CALLED + 1 {
        assert_eq!(
            node.join(user(person), None, NumberBounds::NONE).await.unwrap().number.get(),
            person
        );
    }
    let session = node.claim(&place(1)).await.unwrap();
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "1"]));
    let limited = Instant::now();
    until("calls and sessions would be over", async || {
        for node in &nodes {
            let seen = node.call_next(QueueCounters::START, None).await.unwrap();
            assert_eq!(
                (seen.count, seen.snapshot.outcomes.lapsed, seen.snapshot.outcomes.ended),
                (0, 0, 0)
            );
        }
        assert!(matches!(node.place_status(&place(1)).await.unwrap(), PlaceStatus::Active { .. }));
        assert!(matches!(node.place_status(&place(2)).await.unwrap(), PlaceStatus::Called { .. }));
        let refused = node.claim(&place(3)).await.unwrap_err();
        assert!(
            matches!(&refused, ClaimError::Store(error) if error.kind() == PortErrorKind::NotReady),
            "{refused:?}"
        );
        limited.elapsed() > lasts * 2
    })
    .await;
    // Leaving works, and like a refresh it does not advance time.
    node.release(&place(CALLED)).await.unwrap();
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "0"]));
    for person in 2..CALLED {
        node.claim(&place(person)).await.unwrap();
    }
    let PlaceStatus::Active { until: after } = node.place_status(&place(1)).await.unwrap() else {
        panic!("inside")
    };
    assert_eq!(after.at, session.until.at);
    let seen = node.snapshot(QueueCounters::START).await.unwrap();
    assert_eq!((seen.outcomes.lapsed, seen.outcomes.ended, seen.outcomes.left), (0, 0, 1));
}
