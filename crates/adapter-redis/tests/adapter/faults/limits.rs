//! More calls than the limits allow.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{Batching, LinkSettings, RedisQueue, RedisQueueSettings};
use domain::queue::{
    Bounds, Incarnation, JoinError, Line, Place, QueueId, QueueNumber, QueueStore,
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
    max_under_way: usize,
) -> (Redis, Arc<RedisQueue>) {
    let redis = server();
    let link = LinkSettings { connect: ANSWER, answer: ANSWER, max_under_way };
    let settings = RedisQueueSettings {
        batching: Batching { largest: 1, max_waiting, ..Batching::default() },
        link,
        ..brisk_settings()
    };
    let node = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    until("it is connected", async || node.snapshot(Line::START).await.is_ok()).await;
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
        joins.spawn(async move { node.join(user(person), None, Bounds::NONE).await });
    }
    until("the limit of waiting joins is reached", async || {
        let asked = Instant::now();
        let refused = node.join(user(999), None, Bounds::NONE);
        let answer = tokio::time::timeout(ANSWER / 4, refused).await;
        match answer {
            Ok(Err(JoinError::Store(error))) if error.kind() == PortErrorKind::Overloaded => {
                assert!(asked.elapsed() < ANSWER / 4);
                true
            }
            Ok(_) | Err(_) => false,
        }
    })
    .await;
    blocking(|| redis.thaw());
    for person in 1..=2 + WAITING {
        until("everyone joins", async || node.join(user(person), None, Bounds::NONE).await.is_ok())
            .await;
    }
    joins.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_the_in_flight_limit_is_refused_at_once() {
    let (_redis, node) = before_a_frozen_server(1_000, 8).await;
    let place = Place {
        queue: QueueId::parse("any").unwrap(),
        incarnation: Incarnation::new(1).unwrap(),
        number: QueueNumber::new(1).unwrap(),
        user: user(1),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    let mut questions = JoinSet::new();
    for _question in 0..40 {
        let node = Arc::clone(&node);
        let asked = Instant::now();
        questions.spawn(async move {
            let refused = node.standing(&place).await.unwrap_err();
            (refused.kind(), asked.elapsed())
        });
    }
    let answers = questions.join_all().await;
    let refused: Vec<_> =
        answers.iter().filter(|(kind, _)| *kind == PortErrorKind::Overloaded).collect();
    assert_eq!(refused.len(), 32, "{answers:?}");
    assert!(refused.iter().all(|(_, after)| *after < ANSWER), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_run_one_at_a_time_and_none_waits_beyond_its_limit() {
    let (_redis, node) = before_a_frozen_server(1_000, 8).await;
    let mut looks = JoinSet::new();
    for _look in 0..20 {
        let (node, asked) = (Arc::clone(&node), Instant::now());
        looks.spawn(async move { (node.snapshot(Line::START).await.is_err(), asked.elapsed()) });
    }
    for (is_refused, after) in looks.join_all().await {
        assert!(is_refused && after < 3 * ANSWER, "{after:?}");
    }
}
