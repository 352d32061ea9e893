//! A store that may have lost data decides nothing until its witnesses have reported.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{RedisQueue, RedisQueueSettings};
use domain::queue::{
    AdmissionPolicy, Checkpoint, ClaimError, JoinError, NumberBounds, PlaceStatus, PolicySpec,
    QueueCounters, QueueId, QueueNumber, QueueStore as _, TokenClaims,
};
use domain::{PortErrorKind, Timestamp};
use test_support::{FaultProxy, Redis};

use super::{blocking, brisk_settings, server};
use crate::storm::{until, user};
use crate::support::{get_ready, life_of, line_key, nodes, note_life, ready_nodes, single};

/// Calls five people at once, and at most five may be inside.
fn five() -> PolicySpec {
    PolicySpec { batch: 40, every: Duration::from_secs(1), max_active: 5, ..PolicySpec::default() }
}

fn settings_of(spec: PolicySpec) -> RedisQueueSettings {
    RedisQueueSettings { policy: AdmissionPolicy::new(spec).unwrap(), ..brisk_settings() }
}

fn place(queue: QueueId, person: u64, number: u64) -> TokenClaims {
    let number = QueueNumber::new(number).unwrap();
    TokenClaims {
        queue,
        incarnation: life_of(queue),
        number,
        user: user(person),
        issued_at: Timestamp::UNIX_EPOCH,
    }
}

async fn joined(node: &RedisQueue, person: u64) -> u64 {
    node.join(user(person), None, NumberBounds::NONE).await.unwrap().number.get()
}

fn is_not_ready(error: &JoinError) -> bool {
    matches!(error, JoinError::Store(error) if error.kind() == PortErrorKind::NotReady)
}

/// Starts another process at this address, without any of the data.
fn restart_empty(redis: &Redis) {
    let folder = blocking(|| redis.command(&["CONFIG", "GET", "dir"]));
    let folder = folder.lines().last().unwrap().to_owned();
    blocking(|| redis.kill());
    fs::remove_dir_all(Path::new(&folder).join("appendonlydir")).unwrap();
    blocking(|| redis.restart());
}

/// A node behind a proxy, which has seen forty people join and five of them admitted.
async fn informed_node(
    redis: &Redis,
    settings: &RedisQueueSettings,
) -> (FaultProxy, Arc<RedisQueue>) {
    let proxy = FaultProxy::to(redis.address()).unwrap();
    let knows = ready_nodes(1, &single(proxy.address()), settings).await.remove(0);
    for person in 1..=40 {
        assert_eq!(joined(&knows, person).await, person);
    }
    for person in 1..=5 {
        knows.claim(&place(settings.queue, person, person)).await.unwrap();
    }
    knows.snapshot(QueueCounters::START).await.unwrap();
    (proxy, knows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_that_comes_first_to_an_empty_store_gives_no_number_twice() {
    let redis = server();
    let settings = settings_of(five());
    let (proxy, knows) = informed_node(&redis, &settings).await;
    proxy.cut();
    restart_empty(&redis);

    let fresh = nodes(1, &single(redis.address()), &settings).remove(0);
    let first = fresh.snapshot(QueueCounters::START).await.unwrap();
    assert!(first.recovers && !first.may_join, "{first:?}");
    let refused = fresh.join(user(100), None, NumberBounds::NONE).await.unwrap_err();
    assert!(is_not_ready(&refused), "{refused:?}");

    proxy.mend();
    until("the informed node is back", async || knows.snapshot(QueueCounters::START).await.is_ok())
        .await;
    for node in [&knows, &fresh] {
        get_ready(node).await;
    }
    assert_eq!(joined(&fresh, 100).await, 41, "40 were given");
    assert_eq!(joined(&fresh, 20).await, 20, "a user who joined before keeps the place");
    let inside = fresh.snapshot(QueueCounters::START).await.unwrap();
    assert_eq!((inside.active, inside.called), (5, 0), "the sessions are the same as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_holders_of_one_number_are_never_both_inside() {
    let redis = server();
    let settings = settings_of(five());
    let (proxy, knows) = informed_node(&redis, &settings).await;
    proxy.cut();
    restart_empty(&redis);

    // The informed node is away for longer than a store waits.
    let fresh = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    // The new node knows nothing of the queue, and begins another incarnation.
    let life = fresh.snapshot(QueueCounters::START).await.unwrap().incarnations.oldest().unwrap();
    assert_ne!(life, life_of(settings.queue));
    let place = |person, number| {
        let place = place(settings.queue, person, number);
        if person > 100 { TokenClaims { incarnation: life, ..place } } else { place }
    };
    for person in 101..=110 {
        assert_eq!(joined(&fresh, person).await, person - 100);
    }
    fresh.claim(&place(101, 1)).await.unwrap();
    proxy.mend();
    until("the informed node is back", async || knows.snapshot(QueueCounters::START).await.is_ok())
        .await;
    for node in [&knows, &fresh] {
        get_ready(node).await;
    }
    assert_eq!(joined(&fresh, 200).await, 41, "no number is given again after this");
    let holders = [1, 101].into_iter().flat_map(|first| (0..10).map(move |n| (first + n, n + 1)));
    let mut inside: Vec<(u64, u64)> = Vec::new();
    for (person, number) in holders {
        match fresh.claim(&place(person, number)).await {
            Ok(_) => inside.push((number, person)),
            Err(ClaimError::NotHolder | ClaimError::Gone | ClaimError::NotYet) => {}
            Err(ClaimError::Store(error)) if error.kind() == PortErrorKind::NotReady => {}
            Err(error) => panic!("{person} with {number}: {error:?}"),
        }
    }
    inside.sort_unstable();
    let numbers = inside.windows(2).all(|two| two[0].0 != two[1].0);
    assert!(numbers && inside.len() <= 5, "{inside:?}");
    assert!(inside.contains(&(1, 101)), "the first session stays: {inside:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_loss_is_over_once_all_nodes_have_reported() {
    let redis = server();
    // A pause longer than any test.
    let settings = RedisQueueSettings { recovery: Duration::from_secs(600), ..settings_of(five()) };
    let short = RedisQueueSettings { recovery: Duration::from_millis(500), ..settings.clone() };
    // The first doubt of a queue lasts the full pause.
    let opener = ready_nodes(1, &single(redis.address()), &short).await.remove(0);
    let both = ready_nodes(2, &single(redis.address()), &settings).await;
    for person in 1..=10 {
        joined(&both[0], person).await;
    }
    drop(opener);
    until("the dropped node has timed out", async || {
        for node in &both {
            node.snapshot(QueueCounters::START).await.unwrap();
        }
        let nodes =
            redis.command(&["HLEN", &line_key(settings.queue).replace(":line", ":nodes")]).unwrap();
        nodes.trim() == "2"
    })
    .await;
    let before = both[0].snapshot(QueueCounters::START).await.unwrap();
    blocking(|| redis.kill());
    blocking(|| redis.restart());
    until("it is connected again", async || both[0].snapshot(QueueCounters::START).await.is_ok())
        .await;
    let alone = both[0].snapshot(QueueCounters::START).await.unwrap();
    assert!(alone.recovers, "the other node has not reported: {alone:?}");
    until("the other node reports", async || both[1].snapshot(QueueCounters::START).await.is_ok())
        .await;
    for node in &both {
        get_ready(node).await;
    }
    let after = both[0].snapshot(QueueCounters::START).await.unwrap();
    assert_eq!((after.counters, after.generation > before.generation), (before.counters, true));
    assert_eq!(joined(&both[1], 11).await, 11);
}

/// Simulates a failover to another machine's clock, or an outage: the clock at the previous step
/// was `seconds` behind the clock at the next.
async fn clock_steps(redis: &Redis, queue: QueueId, seconds: i64) {
    let key = line_key(queue);
    let before: i64 = blocking(|| redis.command(&["HGET", &key, "clock"])).trim().parse().unwrap();
    let stepped = (before - seconds * 1_000_000).to_string();
    blocking(|| redis.command(&["HSET", &key, "clock", &stepped]));
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_steps_and_outages_neither_end_nor_extend_a_call() {
    let redis = server();
    let spec = PolicySpec { claim_within: Duration::from_secs(30), ..five() };
    let settings = settings_of(spec);
    let node = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    let number = joined(&node, 1).await;
    let place = place(settings.queue, 1, number);
    let PlaceStatus::Called { until: reported } = node.place_status(&place).await.unwrap() else {
        panic!("called")
    };
    for seconds in [60, -60, 15, -20, 20, 3_600] {
        clock_steps(&redis, settings.queue, seconds).await;
        node.snapshot(QueueCounters::START).await.unwrap();
    }
    let PlaceStatus::Called { until: after } = node.place_status(&place).await.unwrap() else {
        panic!("still called")
    };
    assert_eq!(after.at, reported.at);
    let lost = reported.remaining.saturating_sub(after.remaining);
    // Four steps forward cost a second each; the rest is the duration of the test.
    assert!(lost < Duration::from_secs(4 + 10), "{reported:?} became {after:?}");
    assert!(after.remaining <= reported.remaining, "{reported:?} became {after:?}");
    node.claim(&place).await.unwrap();
}

/// Concurrent joins at one node; returns people and their numbers.
async fn crowd(node: &Arc<RedisQueue>, people: u64) -> Vec<(u64, u64)> {
    let joins = (1..=people).map(|person| {
        let node = Arc::clone(node);
        tokio::spawn(async move { (person, joined(&node, person).await) })
    });
    let joined = futures_util::future::join_all(joins).await;
    joined.into_iter().map(Result::unwrap).collect()
}

async fn leave(node: &RedisQueue, queue: QueueId, people: &[(u64, u64)]) {
    for some in people.chunks(500) {
        let leaves = some.iter().map(|(person, number)| {
            let place = place(queue, *person, *number);
            async move { node.release(&place).await.unwrap() }
        });
        futures_util::future::join_all(leaves).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_report_the_same_position_and_abandoned_places_stay_gone() {
    const STAY: u64 = 500;
    const LEAVE: u64 = 11_000;
    let redis = server();
    let spec = PolicySpec { batch: 1, every: Duration::from_secs(3_600), ..PolicySpec::default() };
    let settings = settings_of(spec);
    let both = ready_nodes(2, &single(redis.address()), &settings).await;
    let mut people = crowd(&both[0], LEAVE + STAY).await;
    people.sort_unstable_by_key(|(_, number)| *number);
    // The second node does not refresh while all ahead of the last five hundred leave.
    let (gone, stay) = people.split_at(usize::try_from(LEAVE).unwrap());
    leave(&both[0], settings.queue, &gone[1..]).await;
    let last = QueueNumber::new(stay.last().unwrap().1).unwrap();
    let position = async |node: &RedisQueue| {
        let seen = node.snapshot(QueueCounters::START).await.unwrap();
        (
            seen.vacant.position_of(last, seen.counters).get(),
            seen.vacant.people_waiting(seen.counters),
        )
    };
    assert_eq!(position(&both[0]).await, (STAY, STAY));
    assert_eq!(position(&both[1]).await, (STAY, STAY), "the node without a refresh");
    let fresh = nodes(1, &single(redis.address()), &settings).remove(0);
    assert_eq!(position(&fresh).await, (STAY, STAY), "a fresh node");
    drop(fresh);

    blocking(|| redis.kill());
    blocking(|| redis.restart());
    for node in &both {
        get_ready(node).await;
        assert_eq!(position(node).await, (STAY, STAY), "after a restart");
    }
    restart_empty(&redis);
    for node in &both {
        get_ready(node).await;
    }
    for node in &both {
        assert_eq!(position(node).await, (STAY, STAY), "after everything was lost");
    }
    let (person, number) = gone[20];
    let left = place(settings.queue, person, number);
    assert_eq!(both[1].place_status(&left).await.unwrap(), PlaceStatus::Gone);
    assert!(matches!(both[1].claim(&left).await, Err(ClaimError::Gone)));
    assert!(
        joined(&both[1], person).await > last.get(),
        "a user who left gets a new number at the end"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_skips_one_reserve_for_all_nodes_at_no_cost_to_users() {
    let redis = server();
    let spec = PolicySpec {
        batch: 10,
        every: Duration::from_secs(1),
        max_active: 10,
        ..PolicySpec::default()
    };
    let settings = RedisQueueSettings { needs_checkpoint: true, ..settings_of(spec) };
    let all = nodes(3, &single(redis.address()), &settings);
    let settle = async |checkpoint: Option<Checkpoint>| {
        for node in &all {
            until("the store can be reached", async || {
                node.snapshot(QueueCounters::START).await.is_ok()
            })
            .await;
            let generation = node.snapshot(QueueCounters::START).await.unwrap().generation;
            node.settle(generation, checkpoint).await.unwrap();
        }
        for node in &all {
            get_ready(node).await;
        }
    };
    let unsettled = all[0].snapshot(QueueCounters::START).await.unwrap();
    assert!(!unsettled.may_join, "{unsettled:?}");
    settle(None).await;
    assert_eq!(joined(&all[0], 1).await, 1);
    restart_empty(&redis);
    // A hundred were given, forty called, and ten thousand reserved.
    settle(Some(Checkpoint::new(QueueCounters::new(100, 40), 10_100))).await;
    let first = joined(&all[1], 1_000).await;
    assert_eq!(first, 10_101);
    let seen = all[2].snapshot(QueueCounters::START).await.unwrap();
    let waiting = seen.vacant.people_waiting(seen.counters);
    assert!(waiting <= 61, "sixty with a number, and the one who joined: {waiting}");
    settle(Some(Checkpoint::new(seen.counters, 20_101))).await;
    assert_eq!(joined(&all[2], 1_001).await, 10_102, "nothing was lost since");
    // The sixty do not claim: their calls lapse, ten at a time. No one waits for the ten thousand.
    let last = QueueNumber::new(10_102).unwrap();
    assert!(seen.vacant.position_of(last, seen.counters).get() <= 62);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_restarted_one_by_one_restore_sessions_and_released_places() {
    let redis = server();
    let settings = settings_of(five());
    let (_wire, first) = informed_node(&redis, &settings).await;
    let held = |person| place(settings.queue, person, person);
    first.release(&held(1)).await.unwrap();
    until("the next person is called", async || {
        let _ = first.call_next(QueueCounters::START, None).await;
        matches!(first.place_status(&held(6)).await, Ok(PlaceStatus::Called { .. }))
    })
    .await;
    // Each starts before the previous one stops, and stops before the loss.
    let second = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    drop(first);
    let third = ready_nodes(1, &single(redis.address()), &settings).await.remove(0);
    drop(second);
    restart_empty(&redis);
    until("it is connected again", async || third.snapshot(QueueCounters::START).await.is_ok())
        .await;
    get_ready(&third).await;
    for person in 2..=5 {
        let place_status = third.place_status(&held(person)).await.unwrap();
        assert!(matches!(place_status, PlaceStatus::Active { .. }), "{person}: {place_status:?}");
    }
    assert!(
        matches!(third.claim(&held(1)).await, Err(ClaimError::Gone)),
        "a user who left stays out"
    );
    assert!(third.claim(&held(6)).await.is_ok());
    let seen = third.call_next(QueueCounters::START, None).await.unwrap().snapshot;
    assert_eq!((seen.called, seen.active), (0, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_loss_needs_no_second_read_of_the_checkpoint() {
    let redis = server();
    let settings = RedisQueueSettings { needs_checkpoint: true, ..settings_of(five()) };
    let both = nodes(2, &single(redis.address()), &settings);
    for node in &both {
        until("the store can be reached", async || {
            node.snapshot(QueueCounters::START).await.is_ok()
        })
        .await;
        let generation = node.snapshot(QueueCounters::START).await.unwrap().generation;
        node.settle(generation, None).await.unwrap();
    }
    for node in &both {
        get_ready(node).await;
    }
    for person in 1..=7 {
        assert_eq!(joined(&both[0], person).await, person);
    }
    let before = both[0].snapshot(QueueCounters::START).await.unwrap();
    assert_eq!(before.counters, QueueCounters::new(7, 5));
    note_life(settings.queue, before.incarnations.oldest().unwrap());
    blocking(|| redis.kill());
    blocking(|| redis.restart());
    for node in &both {
        until("it is connected again", async || node.snapshot(QueueCounters::START).await.is_ok())
            .await;
    }
    for node in &both {
        get_ready(node).await;
    }
    let after = both[1].snapshot(QueueCounters::START).await.unwrap();
    assert!(after.is_settled && after.generation > before.generation, "{after:?}");
    assert_eq!(joined(&both[1], 8).await, 8);
    both[1].release(&place(settings.queue, 1, 1)).await.unwrap();
    until("the queue moves on", async || {
        both[1]
            .call_next(QueueCounters::START, None)
            .await
            .is_ok_and(|called| called.snapshot.counters.serving() == 6)
    })
    .await;
    // A later checkpoint shows whether the store is an older copy.
    let generation = after.generation;
    both[0]
        .settle(generation, Some(Checkpoint::new(QueueCounters::new(8, 6), 10_100)))
        .await
        .unwrap();
    assert_eq!(both[0].snapshot(QueueCounters::START).await.unwrap().generation, generation);
    let doubts = both[0]
        .settle(generation, Some(Checkpoint::new(QueueCounters::new(50, 6), 10_100)))
        .await
        .unwrap();
    assert!(doubts.recovers && doubts.generation > generation, "{doubts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_gives_no_number_before_it_knows_which_are_skipped() {
    let redis = server();
    let spec = PolicySpec { batch: 1, every: Duration::from_secs(3_600), ..PolicySpec::default() };
    let settings = RedisQueueSettings { needs_checkpoint: true, ..settings_of(spec) };
    let both = nodes(2, &single(redis.address()), &settings);
    // Registered in time: neither node is new when the doubt is over.
    for node in &both {
        until("the store can be reached", async || {
            node.snapshot(QueueCounters::START).await.is_ok()
        })
        .await;
    }
    for node in &both {
        until("the doubt is over", async || {
            node.snapshot(QueueCounters::START).await.is_ok_and(|seen| !seen.recovers)
        })
        .await;
    }
    let generation = both[1].snapshot(QueueCounters::START).await.unwrap().generation;
    let checkpoint = Some(Checkpoint::new(QueueCounters::new(100, 0), 10_100));
    until("the first node may give numbers", async || {
        both[0].settle(generation, checkpoint).await.is_ok_and(|seen| seen.may_join)
    })
    .await;
    let refused = both[1].join(user(1_001), None, NumberBounds::NONE).await.unwrap_err();
    assert!(matches!(refused, JoinError::ViewBehind), "{refused:?}");
    assert_eq!(joined(&both[0], 1_000).await, 10_101);
    let again = both[1].join(user(1_000), None, NumberBounds::NONE).await.unwrap();
    assert_eq!(
        (again.number.get(), again.rejoined),
        (10_101, true),
        "an existing place is still found"
    );
    get_ready(&both[1]).await;
    assert_eq!(joined(&both[1], 1_001).await, 10_102);
    let seen = both[1].snapshot(QueueCounters::START).await.unwrap();
    let last = QueueNumber::new(10_102).unwrap();
    assert!(seen.vacant.position_of(last, seen.counters).get() <= 102, "{:?}", seen.counters);
}
