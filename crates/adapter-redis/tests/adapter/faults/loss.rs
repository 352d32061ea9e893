//! A server that has lost everything, and nodes that have not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_redis::{RedisQueue, RedisQueueSettings};
use contracts::history::Rules;
use domain::Timestamp;
use domain::queue::{
    AdmissionPolicy, NumberBounds, PlaceStatus, PolicySpec, QueueCounters, QueueNumber,
    QueueStore as _, TokenClaims, UserId,
};
use test_support::Redis;

use super::{blocking, brisk_settings, server};
use crate::storm::{Crowd, MAX_ACTIVE, brisk, pause, rules, until, user};
use crate::support::{get_ready, life_of, ready_nodes, single};

const PEOPLE: u64 = 400;
/// The queue gives no new numbers for two seconds after a loss; the rest is for a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(6);

/// While a queue is being restored, abandoned places may count as ahead for a moment.
fn rules_with_losses() -> Rules {
    Rules { position_slack: PEOPLE / 10, ..rules() }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_the_nodes_when_redis_is_emptied_under_load() {
    loses_everything(server(), |redis| {
        blocking(|| redis.command(&["FLUSHALL"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_the_nodes_when_redis_restarts_empty_under_load() {
    loses_everything(server(), |redis| {
        let folder = blocking(|| redis.command(&["CONFIG", "GET", "dir"]));
        let folder = folder.lines().last().unwrap();
        blocking(|| redis.kill());
        fs::remove_dir_all(Path::new(folder).join("appendonlydir")).unwrap();
        blocking(|| redis.restart());
    })
    .await;
}

/// Twice: restored data must be restorable again.
async fn loses_everything(redis: Redis, lose: impl Fn(&Redis)) {
    let crowd = Crowd::before(3, &single(redis.address()), &brisk_settings()).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    for people in [PEOPLE / 4, PEOPLE * 3 / 4] {
        crowd.until("join", "number", people).await;
        let before = crowd.node(0).service.counters();
        lose(&redis);
        until("the queue is restored", async || {
            crowd
                .node(0)
                .store_counters()
                .await
                .is_some_and(|counters| counters.last() >= before.last())
        })
        .await;
        let counters = crowd.node(0).store_counters().await.unwrap();
        assert!(counters.serving() >= before.serving(), "{counters:?} after {before:?}");
    }
    storm.ends(&rules_with_losses()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_restores_everything_when_the_others_die_and_redis_is_emptied() {
    const WAITING: u64 = 60;
    let redis = server();
    let crowd = Crowd::before(3, &single(redis.address()), &brisk_settings()).await;
    let inside = all_inside(&crowd).await;
    let mut waiting = BTreeMap::new();
    for person in (101..=100 + WAITING).map(user) {
        waiting.insert(person, crowd.join(person).await);
    }
    let last = *waiting.values().max().unwrap();
    until("the last node has seen everything", async || {
        let counters = crowd.node(2).service.counters();
        counters.last() == last.get() && counters.serving() == u64::from(MAX_ACTIVE)
    })
    .await;
    crowd.keep_only(2);
    let lost_at = Instant::now();
    blocking(|| redis.command(&["FLUSHALL"]));

    for (person, number) in &waiting {
        assert_eq!(crowd.send(*person, *number, 0).await, Some(PlaceStatus::Waiting));
    }
    let late = crowd.join(user(500)).await;
    assert!(lost_at.elapsed() < BACK_WITHIN, "joins were refused for {:?}", lost_at.elapsed());
    assert_eq!(late.get(), last.get() + 1);
    for (person, (number, left)) in &inside {
        let session = crowd.admit(*person, *number, 0).await.unwrap();
        // An empty store begins a new time.
        assert!(
            session.until.remaining <= *left,
            "the session of {person} is longer: {session:?}, {left:?}"
        );
        let lost = *left - session.until.remaining;
        assert!(lost < Duration::from_secs(60), "the session of {person} is shorter by {lost:?}");
    }
    let joined_here = waiting.iter().filter(|(person, _)| person.get() % 3 == 2);
    for (person, number) in joined_here {
        assert_eq!(crowd.join(*person).await, *number);
    }
    for (person, (number, _)) in &inside {
        crowd.go(*person, *number).await;
    }
    for (person, number) in &waiting {
        crowd.go_in(*person, *number).await;
        crowd.go(*person, *number).await;
    }
    crowd.judge(&BTreeSet::new(), &Rules { is_drained: false, ..rules_with_losses() }).await;
}

type Inside = BTreeMap<UserId, (QueueNumber, Duration)>;

/// Fills all sessions.
async fn all_inside(crowd: &Arc<Crowd>) -> Inside {
    let mut inside = BTreeMap::new();
    for person in (1..=MAX_ACTIVE.into()).map(user) {
        let number = crowd.join(person).await;
        let session = crowd.go_in(person, number).await;
        inside.insert(person, (number, session.until.remaining));
    }
    pause().await;
    inside
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_left_and_rejoined_keeps_the_new_place_after_a_loss() {
    let redis = server();
    let one_inside = PolicySpec { max_active: 1, ..*brisk().spec() };
    let policy = AdmissionPolicy::new(one_inside).unwrap();
    let settings = RedisQueueSettings { policy, ..brisk_settings() };
    let both = ready_nodes(2, &single(redis.address()), &settings).await;
    for (person, node) in [(1, &both[0]), (2, &both[0]), (3, &both[1])] {
        node.join(user(person), None, NumberBounds::NONE).await.unwrap();
    }
    // The second one leaves while waiting, on the other node, and joins again there.
    let (number, issued_at) = (QueueNumber::new(2).unwrap(), Timestamp::UNIX_EPOCH);
    let queue = settings.queue;
    let left = TokenClaims { queue, incarnation: life_of(queue), number, user: user(2), issued_at };
    both[1].release(&left).await.unwrap();
    let held = both[1].join(user(2), None, NumberBounds::NONE).await.unwrap().number;
    assert_eq!(held.get(), 4);
    refresh(&both).await;

    blocking(|| redis.command(&["FLUSHALL"]));
    // The first node finds the loss; each reports before the queue is open again.
    refresh(&both).await;
    for node in &both {
        get_ready(node).await;
    }
    refresh(&both).await;
    for node in &both {
        let again = node.join(user(2), None, NumberBounds::NONE).await.unwrap();
        assert_eq!((again.number, again.rejoined), (held, true));
        assert_eq!(node.place_status(&left).await.unwrap(), PlaceStatus::Gone);
    }
}

async fn refresh(nodes: &[Arc<RedisQueue>]) {
    for node in nodes {
        node.snapshot(QueueCounters::START).await.unwrap();
    }
}
