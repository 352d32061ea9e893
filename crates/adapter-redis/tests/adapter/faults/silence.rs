//! Servers that do not answer, answer late, or whose answers are lost on the way.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{ConnectionSettings, RedisQueue, RedisQueueSettings};
use domain::queue::{JoinError, Joined, NumberBounds, QueueCounters, QueueStore};
use domain::{PortError, PortErrorKind};
use test_support::FaultProxy;
use tokio::time::Instant;

use super::{blocking, brisk_settings, server};
use crate::storm::{Crowd, rules, until, user};
use crate::support::{ready_nodes, single};

const PEOPLE: u64 = 400;
const ANSWER: Duration = Duration::from_millis(300);
/// For a busy machine.
const SLACK: Duration = Duration::from_secs(2);

fn impatient() -> RedisQueueSettings {
    let connection = ConnectionSettings { connect: ANSWER, answer: ANSWER, max_in_flight: 10_000 };
    RedisQueueSettings { connection, ..brisk_settings() }
}

/// A join that must stay within its limit.
async fn join(node: &RedisQueue, person: u64) -> Result<Joined, JoinError> {
    let requested = Instant::now();
    let joined = node.join(user(person), None, NumberBounds::NONE).await;
    assert!(requested.elapsed() < ANSWER + SLACK, "an answer took {:?}", requested.elapsed());
    joined
}

/// Waits until refreshes and joins get through. The thread that sends joins connects at its first
/// batch, so the tests use one thread. This gives no number.
async fn connected(node: &RedisQueue) {
    until("it is connected", async || node.snapshot(QueueCounters::START).await.is_ok()).await;
    let none = NumberBounds { ceiling: 0, ..NumberBounds::NONE };
    until("joins come through", async || {
        matches!(node.join(user(1_000), None, none).await, Err(JoinError::AboveCeiling))
    })
    .await;
}

fn kind(error: &JoinError) -> PortErrorKind {
    match error {
        JoinError::Store(error) => PortError::kind(error),
        JoinError::QueueFull | JoinError::AboveCeiling | JoinError::ViewBehind => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_to_a_frozen_server_end_within_the_limit_and_succeed_after_it_thaws() {
    let redis = server();
    let node = ready_nodes(1, &single(redis.address()), &impatient()).await.remove(0);
    connected(&node).await;
    let number = join(&node, 1).await.unwrap().number;
    blocking(|| redis.freeze());
    assert_eq!(kind(&join(&node, 2).await.unwrap_err()), PortErrorKind::Timeout);
    for _again in 0..10 {
        join(&node, 1).await.unwrap_err();
        let requested = Instant::now();
        node.snapshot(QueueCounters::START).await.unwrap_err();
        assert!(requested.elapsed() < ANSWER + SLACK);
    }
    blocking(|| redis.thaw());
    connected(&node).await;
    until("it joins again", async || {
        join(&node, 1).await.is_ok_and(|joined| joined.number == number)
    })
    .await;
    let second = join(&node, 2).await.unwrap().number;
    assert_eq!(
        (number.get(), second.get()),
        (1, 2),
        "an unanswered join gives one number, however often it is retried"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_completes_after_a_server_was_frozen() {
    let redis = server();
    let crowd = Crowd::before(3, &single(redis.address()), &impatient()).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    crowd.until("join", "number", PEOPLE / 4).await;
    blocking(|| redis.freeze());
    crowd.until("join", "unknown", 10).await;
    blocking(|| redis.thaw());
    storm.ends(&rules()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_join_whose_answer_was_lost_on_the_way_gives_one_number() {
    let redis = server();
    let proxy = FaultProxy::to(redis.address()).unwrap();
    let node = ready_nodes(1, &single(proxy.address()), &impatient()).await.remove(0);
    for person in 1..=5 {
        // The node may just be reconnecting, or the reset may hit the farewell of an unused
        // connection.
        until("an answer is lost", async || {
            connected(&node).await;
            proxy.reset_after_request();
            join(&node, person).await.is_err_and(|lost| kind(&lost) == PortErrorKind::Timeout)
        })
        .await;
        let seen = Arc::new(std::sync::Mutex::new(None));
        until("it joins again", async || match join(&node, person).await {
            Ok(joined) => seen.lock().unwrap().replace(joined).is_none(),
            Err(_) => false,
        })
        .await;
        let joined = seen.lock().unwrap().take().unwrap();
        assert_eq!((joined.number.get(), joined.rejoined), (person, true));
    }
    until("five numbers were given and no more", async || {
        node.snapshot(QueueCounters::START).await.is_ok_and(|seen| seen.counters.last() == 5)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_slower_than_the_limit_makes_outcomes_unknown_until_it_recovers() {
    let redis = server();
    let proxy = FaultProxy::to(redis.address()).unwrap();
    let node = ready_nodes(1, &single(proxy.address()), &impatient()).await.remove(0);
    connected(&node).await;
    proxy.delay(ANSWER * 3);
    assert_eq!(kind(&join(&node, 1).await.unwrap_err()), PortErrorKind::Timeout);
    proxy.delay(Duration::ZERO);
    proxy.mend();
    until("it joins again", async || {
        join(&node, 1).await.is_ok_and(|joined| joined.number.get() == 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_flush_causes_no_errors() {
    let redis = server();
    // A busy machine must not look like a server that does not answer.
    let connection =
        ConnectionSettings { answer: Duration::from_secs(20), ..brisk_settings().connection };
    let settings = RedisQueueSettings { connection, ..brisk_settings() };
    let crowd = Crowd::before(3, &single(redis.address()), &settings).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    for tenth in 1..10 {
        crowd.until("join", "number", PEOPLE * tenth / 10).await;
        blocking(|| redis.command(&["SCRIPT", "FLUSH"]));
    }
    storm.ends(&rules()).await;
    assert_eq!(crowd.errors(), 0, "there were errors: {}", crowd.history.summary());
}
