//! A primary that dies, and a replica that takes over, with or without all of the primary's data.

use std::sync::Mutex;
use std::time::Duration;

use adapter_redis::{ConnectionSettings, Durability, RedisAddress, RedisQueue, RedisQueueSettings};
use contracts::history::{Completion, Invocation, Rules};
use domain::PortErrorKind;
use domain::queue::{
    AdmissionPolicy, PlaceStatus, PolicySpec, QueueCounters, QueueNumber, QueueStore, TokenClaims,
};
use domain::{Timestamp, queue::NumberBounds};
use test_support::{FaultProxy, Redis, RedisSentinels, RedisSetup};

use super::{blocking, brisk_settings, server};
use crate::storm::{Crowd, brisk, rules, until, user};
use crate::support::{binaries, get_ready, line_key, nodes, ready_nodes, single};

const PEOPLE: u64 = 400;

/// A primary, and a replica that has everything.
fn pair() -> (Redis, Redis) {
    let primary = server();
    let replica = replica_of(&primary);
    (primary, replica)
}

fn replica_of(primary: &Redis) -> Redis {
    let setup = RedisSetup::default().replica_of(primary.address());
    let replica = blocking(|| Redis::start(&binaries(), setup));
    blocking(|| primary.wait_for_replica(&replica));
    replica
}

fn impatient(durability: Durability) -> RedisQueueSettings {
    let answer = Duration::from_secs(1);
    RedisQueueSettings {
        durability,
        connection: ConnectionSettings { connect: answer, answer, max_in_flight: 10_000 },
        ..brisk_settings()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicated_joins_are_not_acknowledged_while_no_replica_has_them_and_survive_the_primary() {
    let (primary, replica) = pair();
    let proxy = FaultProxy::to(primary.address()).unwrap();
    let crowd =
        Crowd::before(3, &single(proxy.address()), &impatient(Durability::Replicated)).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    crowd.until("join", "number", PEOPLE / 4).await;

    blocking(|| replica.freeze());
    // No join that begins from now on may be acknowledged.
    let first = crowd.history.records().len();
    let answered = |reported: fn(Completion) -> bool| {
        let joins = crowd.history.records().into_iter().skip(first);
        let joins = joins.filter(|join| {
            matches!(join.requested, Invocation::Join { .. }) && join.ended.is_some()
        });
        joins.filter(|join| reported(join.reported)).count()
    };
    until("a hundred joins are not acknowledged", async || {
        answered(|reported| reported == Completion::Unknown) >= 100
    })
    .await;
    let acknowledged = answered(|reported| matches!(reported, Completion::Number { .. }));
    assert_eq!(acknowledged, 0, "no replica has them");

    blocking(|| primary.kill());
    blocking(|| replica.thaw());
    blocking(|| replica.promote());
    proxy.retarget(replica.address());
    let _next = replica_of(&replica);
    storm.ends(&Rules { position_slack: PEOPLE / 10, ..rules() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_replay_joins_that_only_the_dead_primary_had() {
    let (primary, replica) = pair();
    let proxy = FaultProxy::to(primary.address()).unwrap();
    let settings = impatient(Durability::Primary);
    let crowd = Crowd::before(3, &single(proxy.address()), &settings).await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    crowd.until("join", "number", PEOPLE / 4).await;

    // The promoted replica has only some of them.
    let key = line_key(settings.queue);
    until("the replica follows", async || {
        blocking(|| replica.command(&["HEXISTS", &key, "last"])) == "1"
    })
    .await;
    blocking(|| replica.promote());
    let reported = crowd.count("join", "number");
    crowd.until("join", "number", reported + PEOPLE / 4).await;
    let seen = crowd.node(0).service.counters();
    blocking(|| primary.kill());
    let kept = blocking(|| replica.command(&["HGET", &key, "last"]));
    assert!(kept.parse::<u64>().unwrap() < seen.last(), "nothing was lost: {kept} of {seen:?}");
    proxy.retarget(replica.address());
    storm.ends(&Rules { position_slack: PEOPLE / 10, ..rules() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_numbers_of_a_dead_primary_hold_no_slot_and_no_position() {
    let (primary, replica) = pair();
    let proxy = FaultProxy::to(primary.address()).unwrap();
    let policy = PolicySpec {
        batch: 10,
        every: Duration::from_secs(1),
        max_active: 10,
        ..PolicySpec::default()
    };
    let settings = RedisQueueSettings {
        policy: AdmissionPolicy::new(policy).unwrap(),
        ..impatient(Durability::Primary)
    };
    let nodes = ready_nodes(2, &single(proxy.address()), &settings).await;
    for person in 1..=2 {
        let joined = nodes[0].join(user(person), None, NumberBounds::NONE).await.unwrap();
        assert_eq!(joined.number.get(), person);
    }
    blocking(|| primary.wait_for_replica(&replica));
    // It receives nothing more from here on.
    blocking(|| replica.promote());
    // Stands for sixty joins that were executed but not answered.
    blocking(|| primary.command(&["HINCRBY", &line_key(settings.queue), "last", "60"]));
    until("some of them are called", async || {
        nodes[1]
            .call_next(QueueCounters::START, None)
            .await
            .is_ok_and(|called| called.snapshot.counters.serving() == 10)
    })
    .await;
    blocking(|| primary.kill());
    proxy.retarget(replica.address());
    until("both nodes may give numbers", async || {
        let mut ready = 0;
        for node in &nodes {
            let seen = node.snapshot(QueueCounters::START).await;
            ready += usize::from(seen.is_ok_and(|seen| seen.may_join));
        }
        ready == nodes.len()
    })
    .await;
    let joined = nodes[0].join(user(3), None, NumberBounds::NONE).await.unwrap();
    assert_eq!(joined.number.get(), 63);
    let seen = nodes[1].call_next(QueueCounters::START, None).await.unwrap().snapshot;
    assert_eq!(seen.vacant.ranges().collect::<Vec<_>>(), [(2, 62)]);
    assert_eq!(seen.vacant.people_waiting(seen.counters), 0);
    let place = TokenClaims {
        queue: settings.queue,
        incarnation: joined.incarnation,
        number: joined.number,
        user: user(3),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    until("the next person is called", async || {
        let _ = nodes[1].call_next(QueueCounters::START, None).await;
        matches!(nodes[1].place_status(&place).await, Ok(PlaceStatus::Called { .. }))
    })
    .await;
    let seen = nodes[1].call_next(QueueCounters::START, None).await.unwrap().snapshot;
    assert_eq!(seen.called, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_released_just_before_a_failover_ends_on_every_node() {
    let (primary, replica) = pair();
    let proxy = FaultProxy::to(primary.address()).unwrap();
    let settings =
        RedisQueueSettings { remember: Duration::from_secs(60), ..impatient(Durability::Primary) };
    let both = ready_nodes(2, &single(proxy.address()), &settings).await;
    let joined = both[0].join(user(1), None, NumberBounds::NONE).await.unwrap();
    let place = TokenClaims {
        queue: settings.queue,
        incarnation: joined.incarnation,
        number: joined.number,
        user: user(1),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    both[0].claim(&place).await.unwrap();
    for node in &both {
        node.snapshot(QueueCounters::START).await.unwrap();
        assert!(matches!(node.place_status(&place).await.unwrap(), PlaceStatus::Active { .. }));
    }
    blocking(|| primary.wait_for_replica(&replica));

    // It receives nothing more from here on.
    blocking(|| replica.promote());
    both[0].release(&place).await.unwrap();
    both[0].snapshot(QueueCounters::START).await.unwrap();
    blocking(|| primary.kill());
    proxy.retarget(replica.address());
    for node in &both {
        get_ready(node).await;
    }
    for node in &both {
        assert_eq!(node.place_status(&place).await.unwrap(), PlaceStatus::Gone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_follow_a_failover_by_sentinels() {
    let all = blocking(|| RedisSentinels::start(&binaries()));
    let sentinels: Vec<String> = all.sentinels().iter().map(ToString::to_string).collect();
    let address = format!("redis-sentinel://{}/{}", sentinels.join(","), all.name());
    let crowd =
        Crowd::before(3, &RedisAddress::parse(&address).unwrap(), &impatient(Durability::Primary))
            .await;
    let storm = crowd.storm(PEOPLE, Duration::from_secs(3));
    crowd.until("join", "number", PEOPLE / 4).await;
    blocking(|| all.primary().kill());
    storm.ends(&Rules { position_slack: PEOPLE / 10, ..rules() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_leave_a_replaced_primary_before_it_is_demoted() {
    let all = blocking(|| RedisSentinels::start(&binaries()));
    let sentinels: Vec<String> = all.sentinels().iter().map(ToString::to_string).collect();
    let address = format!("redis-sentinel://{}/{}", sentinels.join(","), all.name());
    let settings = impatient(Durability::Primary);
    let nodes = ready_nodes(2, &RedisAddress::parse(&address).unwrap(), &settings).await;
    for person in 1..=2 {
        let joined = nodes[0].join(user(person), None, NumberBounds::NONE).await.unwrap();
        assert_eq!(joined.number.get(), person);
    }
    let old = all.primary_address().unwrap();
    blocking(|| all.sentinel_servers()[0].command(&["SENTINEL", "FAILOVER", all.name()]));
    until("the sentinels report the new one", async || blocking(|| all.primary_address()) != old)
        .await;
    // The old primary would take joins for ten seconds, until a sentinel makes it a replica.
    let queue = line_key(settings.queue);
    until("all nodes are at the new one", async || {
        for node in &nodes {
            let _ = node.snapshot(QueueCounters::START).await;
        }
        let seen =
            blocking(|| all.replica().command(&["HVALS", &queue.replace(":line", ":nodes")]));
        let generation = blocking(|| all.replica().command(&["HGET", &queue, "generation"]));
        seen.lines().filter(|record| record.split(':').nth(2) == Some(&generation)).count()
            == nodes.len()
    })
    .await;
    let role = blocking(|| all.primary().command(&["ROLE"]));
    assert!(role.starts_with("master"), "the nodes left when it was made a replica: {role}");
    for node in &nodes {
        get_ready(node).await;
    }
    let joined = nodes[1].join(user(3), None, NumberBounds::NONE).await.unwrap();
    assert_eq!(joined.number.get(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_follow_a_failover_by_the_server_unknown_to_the_sentinels() {
    let all = blocking(|| RedisSentinels::start(&binaries()));
    let sentinels: Vec<String> = all.sentinels().iter().map(ToString::to_string).collect();
    let address = format!("redis-sentinel://{}/{}", sentinels.join(","), all.name());
    let node =
        ready_nodes(1, &RedisAddress::parse(&address).unwrap(), &impatient(Durability::Primary))
            .await;
    let old = all.primary_address().unwrap();
    blocking(|| all.primary().wait_for_replica(all.replica()));
    blocking(|| all.primary().command(&["FAILOVER"]));
    until("the node can join at the new primary", async || {
        let _ = node[0].snapshot(QueueCounters::START).await;
        node[0].join(user(1), None, NumberBounds::NONE).await.is_ok()
            && blocking(|| all.replica().command(&["ROLE"])).starts_with("master")
    })
    .await;
    assert_eq!(tokio::task::block_in_place(|| all.primary_address()).unwrap(), old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused_as_not_ready_without_waiting() {
    let (primary, replica) = pair();
    let node = nodes(1, &single(replica.address()), &impatient(Durability::Primary)).remove(0);
    until("it has noticed", async || {
        let refused = node.snapshot(QueueCounters::START).await.unwrap_err();
        assert_eq!(refused.kind(), PortErrorKind::NotReady, "{refused:?}");
        let why = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
        why.contains("is a replica")
    })
    .await;
    drop(primary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demoted_primary_is_not_ready_and_is_used_again_once_promoted() {
    let (primary, replica) = pair();
    let settings = RedisQueueSettings { policy: brisk(), ..impatient(Durability::Primary) };
    let node = nodes(1, &single(replica.address()), &settings).remove(0);
    blocking(|| replica.promote());
    get_ready(&node).await;
    let given = node.join(user(1), None, NumberBounds::NONE).await.unwrap().number;
    let to = primary.address();
    blocking(|| replica.command(&["REPLICAOF", &to.ip().to_string(), &to.port().to_string()]));
    let refused = node.snapshot(QueueCounters::START).await.unwrap_err();
    assert_eq!(refused.kind(), PortErrorKind::NotReady, "{refused:?}");
    blocking(|| primary.wait_for_replica(&replica));
    // Now it is a primary again, and has lost the queue to the other one.
    blocking(|| replica.promote());
    let after = until_joined(&node, async || node.snapshot(QueueCounters::START).await).await;
    assert_eq!(
        (given.get(), after.get()),
        (1, 2),
        "the number of the lost place is not given again"
    );
}

/// Joins at this node until a number is returned, and runs `meanwhile` after each attempt.
async fn until_joined<T>(node: &RedisQueue, meanwhile: impl AsyncFn() -> T) -> QueueNumber {
    let reported = Mutex::new(None);
    until("a user can join", async || {
        let joined = node.join(user(9), None, NumberBounds::NONE).await;
        meanwhile().await;
        joined.is_ok_and(|joined| reported.lock().unwrap().replace(joined.number).is_none())
    })
    .await;
    reported.into_inner().unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_known_to_one_node_are_not_given_again_by_one_that_reconnects_first() {
    let (primary, replica) = pair();
    let wires = [(); 2].map(|()| FaultProxy::to(primary.address()).unwrap());
    let settings = impatient(Durability::Primary);
    let [knows, first] =
        wires.each_ref().map(|proxy| RedisQueue::open(single(proxy.address()), settings.clone()));
    for node in [&knows, &first] {
        get_ready(node).await;
    }
    // The replica receives nothing more from here on.
    blocking(|| replica.promote());
    for number in 1..=3 {
        assert_eq!(
            knows.join(user(number), None, NumberBounds::NONE).await.unwrap().number.get(),
            number
        );
    }
    blocking(|| primary.kill());
    wires[1].retarget(replica.address());
    until("it is connected", async || first.snapshot(QueueCounters::START).await.is_ok()).await;
    first.join(user(9), None, NumberBounds::NONE).await.unwrap_err();
    wires[0].retarget(replica.address());
    let number = until_joined(&first, async || knows.snapshot(QueueCounters::START).await).await;
    assert_eq!(number.get(), 4, "1 to 3 were given");
    for number in 1..=3 {
        assert_eq!(
            first.join(user(number), None, NumberBounds::NONE).await.unwrap().number.get(),
            number
        );
    }
}
