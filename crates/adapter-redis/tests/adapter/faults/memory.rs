//! A server at the limit of its memory refuses claims, so no call may lapse.

use std::time::{Duration, Instant};

use adapter_redis::RedisQueueSettings;
use domain::queue::{
    AdmissionPolicy, Bounds, ClaimError, Line, Place, PolicySpec, QueueNumber, QueueStore as _,
    Standing,
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
    let place = |person: u64| Place {
        queue: settings.queue,
        incarnation: life_of(settings.queue),
        number: QueueNumber::new(person).unwrap(),
        user: user(person),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    for person in 1..=CALLED + 1 {
        assert_eq!(node.join(user(person), None, Bounds::NONE).await.unwrap().number.get(), person);
    }
    let session = node.claim(&place(1)).await.unwrap();
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "1"]));
    let limited = Instant::now();
    until("calls and sessions would be over", async || {
        for node in &nodes {
            let seen = node.call_next(Line::START, None).await.unwrap();
            assert_eq!(
                (seen.count, seen.snapshot.tally.lapsed, seen.snapshot.tally.ended),
                (0, 0, 0)
            );
        }
        assert!(matches!(node.standing(&place(1)).await.unwrap(), Standing::Active { .. }));
        assert!(matches!(node.standing(&place(2)).await.unwrap(), Standing::Called { .. }));
        let refused = node.claim(&place(3)).await.unwrap_err();
        assert!(
            matches!(&refused, ClaimError::Store(error) if error.kind() == PortErrorKind::NotReady),
            "{refused:?}"
        );
        limited.elapsed() > lasts * 2
    })
    .await;
    // Leaving works, and like a refresh it does not advance time.
    node.give_back(&place(CALLED)).await.unwrap();
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "0"]));
    for person in 2..CALLED {
        node.claim(&place(person)).await.unwrap();
    }
    let Standing::Active { until: after } = node.standing(&place(1)).await.unwrap() else {
        panic!("inside")
    };
    assert_eq!(after.at, session.until.at);
    let seen = node.snapshot(Line::START).await.unwrap();
    assert_eq!((seen.tally.lapsed, seen.tally.ended, seen.tally.left), (0, 0, 1));
}
