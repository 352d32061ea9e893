//! More calls than the limits allow.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{Batching, ConnectionSettings, RedisQueue, RedisQueueSettings};
use domain::queue::{
    Incarnation, JoinError, NumberBounds, QueueCounters, QueueId, QueueNumber, QueueStore,
    TokenClaims,
};
use domain::{PortErrorKind, Timestamp};
use test_support::Redis;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{blocking, brisk_settings, server};
use crate::storm::{until, user};
use crate::support::{ready_nodes, single};

const ANSWER: Duration = Duration::from_secs(2);

async fn before_a_frozen_server(
    max_waiting: usize,
    max_in_flight: usize,
) -> (Redis, Arc<RedisQueue>) {
    let redis = server();
    let connection = ConnectionSettings { connect: ANSWER, answer: ANSWER, max_in_flight };
    let settings = RedisQueueSettings {
        batching: Batching { largest: 1, max_waiting, ..Batching::default() },
        connection,
        ..brisk_settings()
    };
    let node = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    until("it is connected", async || node.snapshot(QueueCounters::START).await.is_ok()).await;
    blocking(|| redis.freeze());
    (redis, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_beyond_max_waiting_is_refused_at_once_and_the_others_are_kept() {
    const WAITING: u64 = 20;
    let (redis, node) = before_a_frozen_server(20, 10_000).await;
    let mut joins = JoinSet::new();
    // The first two go as separate batches, or are refused like others that arrive before these
    // were sent.
    for person in 1..=2 * WAITING {
        let node = Arc::clone(&node);
        joins.spawn(async move { node.join(user(person), None, NumberBounds::NONE).await });
    }
    until("the limit of waiting joins is reached", async || {
        let requested = Instant::now();
        let refused = node.join(user(999), None, NumberBounds::NONE);
        let answer = tokio::time::timeout(ANSWER / 4, refused).await;
        match answer {
            Ok(Err(JoinError::Store(error))) if error.kind() == PortErrorKind::Overloaded => {
                assert!(requested.elapsed() < ANSWER / 4);
                true
            }
            Ok(_) | Err(_) => false,
        }
    })
    .await;
    blocking(|| redis.thaw());
    for person in 1..=2 + WAITING {
        until("everyone joins", async || {
            node.join(user(person), None, NumberBounds::NONE).await.is_ok()
        })
        .await;
    }
    joins.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_the_in_flight_limit_is_refused_at_once() {
    let (_redis, node) = before_a_frozen_server(1_000, 8).await;
    let place = TokenClaims {
        queue: QueueId::parse("any").unwrap(),
        incarnation: Incarnation::new(1).unwrap(),
        number: QueueNumber::new(1).unwrap(),
        user: user(1),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    let mut requests = JoinSet::new();
    for _question in 0..40 {
        let node = Arc::clone(&node);
        let requested = Instant::now();
        requests.spawn(async move {
            let refused = node.place_status(&place).await.unwrap_err();
            (refused.kind(), requested.elapsed())
        });
    }
    let answers = requests.join_all().await;
    let refused: Vec<_> =
        answers.iter().filter(|(kind, _)| *kind == PortErrorKind::Overloaded).collect();
    assert_eq!(refused.len(), 32, "{answers:?}");
    assert!(refused.iter().all(|(_, after)| *after < ANSWER), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_run_one_at_a_time_and_none_waits_beyond_its_limit() {
    let (_redis, node) = before_a_frozen_server(1_000, 8).await;
    let mut refreshes = JoinSet::new();
    for _look in 0..20 {
        let (node, requested) = (Arc::clone(&node), Instant::now());
        refreshes.spawn(async move {
            (node.snapshot(QueueCounters::START).await.is_err(), requested.elapsed())
        });
    }
    for (is_refused, after) in refreshes.join_all().await {
        assert!(is_refused && after < 3 * ANSWER, "{after:?}");
    }
}
