//! Keys that disappear while nodes use them: the server's clock is stepped by more than their
//! lifetime, or an operator deletes them.

use std::fmt;
use std::sync::{Arc, Mutex};

use adapter_redis::{RedisQueue, RedisQueueSettings};
use domain::queue::{
    AdmissionPolicy, ClaimError, Expiry, NumberBounds, PlaceStatus, PolicySpec, QueueCounters,
    QueueId, QueueNumber, QueueStore as _, TokenClaims,
};
use domain::{PortErrorKind, Timestamp};
use test_support::Redis;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{blocking, brisk_settings, server};
use crate::storm::{until, user};
use crate::support::{get_ready, life_of, line_key, ready_nodes, single};

const INSIDE: u64 = 3;
const CALLED: u64 = 5;
const LEFT: u64 = 20;

fn settings() -> RedisQueueSettings {
    let spec = PolicySpec {
        batch: 40,
        every: std::time::Duration::from_secs(1),
        max_active: u32::try_from(CALLED).unwrap(),
        ..PolicySpec::default()
    };
    RedisQueueSettings { policy: AdmissionPolicy::new(spec).unwrap(), ..brisk_settings() }
}

fn place(queue: QueueId, person: u64) -> TokenClaims {
    let number = QueueNumber::new(person).unwrap();
    TokenClaims {
        queue,
        incarnation: life_of(queue),
        number,
        user: user(person),
        issued_at: Timestamp::UNIX_EPOCH,
    }
}

/// Runs a script over every key of the queue but the first, each as `key`.
fn for_each_key(redis: &Redis, queue: QueueId, body: &str) {
    let hash = line_key(queue);
    let pattern = hash.replace(":line", ":*");
    let script = format!(
        "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
            if key ~= KEYS[1] then {body} end \
         end \
         return 1"
    );
    blocking(|| redis.command(&["EVAL", &script, "1", &hash, &pattern]));
}

fn delete(redis: &Redis, queue: QueueId) {
    for_each_key(redis, queue, "redis.call('DEL', key)");
}

/// Simulates a step of the server's clock by years: every key that expires is gone.
fn expire(redis: &Redis, queue: QueueId) {
    for_each_key(
        redis,
        queue,
        "if redis.call('PTTL', key) > 0 then redis.call('PEXPIRE', key, -1) end",
    );
}

/// Simulates a failover to a replica whose clock is years ahead.
fn take_over_and_expire(redis: &Redis, queue: QueueId) {
    blocking(|| redis.command(&["HSET", &line_key(queue), "process", "another"]));
    expire(redis, queue);
}

/// The end of a call or session.
async fn end_of(node: &RedisQueue, place: &TokenClaims) -> (bool, Expiry) {
    match node.place_status(place).await.unwrap() {
        PlaceStatus::Called { until } => (false, until),
        PlaceStatus::Active { until } => (true, until),
        place_status @ (PlaceStatus::Waiting | PlaceStatus::Gone) => {
            panic!("{place:?}: {place_status:?}")
        }
    }
}

/// Two nodes, and people of every kind: inside, called, waiting, and one who has left.
async fn two_nodes(redis: &Redis, settings: &RedisQueueSettings) -> Vec<Arc<RedisQueue>> {
    let nodes = ready_nodes(2, &single(redis.address()), settings).await;
    for person in 1..=LEFT {
        let joined = nodes[(person % 2) as usize]
            .join(user(person), None, NumberBounds::NONE)
            .await
            .unwrap();
        assert_eq!(joined.number.get(), person);
    }
    for person in 1..=INSIDE {
        nodes[1].claim(&place(settings.queue, person)).await.unwrap();
    }
    nodes[0].release(&place(settings.queue, LEFT)).await.unwrap();
    for node in &nodes {
        node.call_next(QueueCounters::START, None).await.unwrap();
    }
    nodes
}

/// Keys disappear, and no user loses a place, a call or a session. Calls keep their ends if their
/// keys are kept; otherwise they are opened again.
async fn no_place_is_lost(forget: impl Fn(&Redis, QueueId), keeps_calls: bool) {
    let redis = server();
    let settings = settings();
    let nodes = two_nodes(&redis, &settings).await;
    let queue = settings.queue;
    let mut reported = Vec::new();
    for person in 1..=CALLED {
        reported.push(end_of(&nodes[0], &place(queue, person)).await);
    }
    let before = nodes[0].snapshot(QueueCounters::START).await.unwrap();
    // Twice: restored data must be restorable again.
    for _time in 0..2 {
        forget(&redis, queue);
        // A request before any refresh must not be answered that the place is gone.
        for person in [1, CALLED, CALLED + 1] {
            match nodes[1].place_status(&place(queue, person)).await {
                Ok(
                    PlaceStatus::Waiting | PlaceStatus::Called { .. } | PlaceStatus::Active { .. },
                ) => {}
                Err(error) if error.kind() == PortErrorKind::NotReady => {}
                other => panic!("{person}: {other:?}"),
            }
        }
        let refused =
            nodes[0].join(user(100), None, NumberBounds::NONE).await.unwrap_err().to_string();
        assert!(refused.contains("not ready"), "{refused}");
        let seen = nodes[0].snapshot(QueueCounters::START).await.unwrap();
        assert!(seen.recovers && seen.generation > before.generation, "{seen:?}");
        until("both nodes have reported", async || {
            for node in &nodes {
                node.snapshot(QueueCounters::START).await.unwrap();
            }
            !nodes[0].snapshot(QueueCounters::START).await.unwrap().recovers
        })
        .await;
        for node in &nodes {
            get_ready(node).await;
        }
    }
    for person in 1..LEFT {
        let joined = nodes[(person % 2) as usize]
            .join(user(person), None, NumberBounds::NONE)
            .await
            .unwrap();
        assert_eq!((joined.number.get(), joined.rejoined), (person, true));
    }
    for (person, (was_inside, was)) in (1..=CALLED).zip(reported) {
        let (is_inside, is) = end_of(&nodes[0], &place(queue, person)).await;
        assert_eq!(is_inside, was_inside, "{person}");
        if was_inside || keeps_calls {
            assert_eq!(is.at, was.at, "{person}");
        } else {
            assert!(is.at >= was.at, "{person}: {is:?} after {was:?}");
        }
    }
    for person in CALLED + 1..LEFT {
        assert_eq!(
            nodes[1].place_status(&place(queue, person)).await.unwrap(),
            PlaceStatus::Waiting,
            "{person}"
        );
    }
    let left = place(queue, LEFT);
    assert_eq!(nodes[1].place_status(&left).await.unwrap(), PlaceStatus::Gone);
    assert!(matches!(nodes[1].claim(&left).await, Err(ClaimError::Gone)));
    let seen = nodes[1].snapshot(QueueCounters::START).await.unwrap();
    assert_eq!(
        (seen.counters, seen.active, seen.called),
        (before.counters, INSIDE, CALLED - INSIDE)
    );
    assert_eq!(
        (seen.outcomes, seen.vacant.people_waiting(seen.counters)),
        (before.outcomes, LEFT - 1 - CALLED)
    );
    for person in INSIDE + 1..=CALLED {
        nodes[0].claim(&place(queue, person)).await.unwrap();
    }
    let new = nodes[0].join(user(100), None, NumberBounds::NONE).await.unwrap();
    assert_eq!((new.number.get(), new.rejoined), (LEFT + 1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_is_lost_if_a_clock_step_expires_keys() {
    no_place_is_lost(expire, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_is_lost_if_keys_expire_at_a_failover_to_another_clock() {
    no_place_is_lost(take_over_and_expire, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_is_lost_if_all_keys_but_the_first_are_deleted() {
    no_place_is_lost(delete, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_grow_with_users_expire_thirty_lifetimes_after_the_last_refresh() {
    let redis = server();
    let settings = settings();
    let _nodes = two_nodes(&redis, &settings).await;
    let lifetime = i64::try_from(settings.lifetime.as_millis()).unwrap();
    let mut expiring = Vec::new();
    for name in [
        "line",
        "holders",
        "users",
        "abandoned",
        "calls",
        "used",
        "sessions",
        "inside",
        "changes",
        "nodes",
    ] {
        let key = line_key(settings.queue).replace(":line", &format!(":{name}"));
        let left: i64 = redis.command(&["PTTL", &key]).unwrap().trim().parse().unwrap();
        assert!(left == -1 || (29 * lifetime..=30 * lifetime).contains(&left), "{name}: {left}");
        if left > 0 {
            expiring.push(name);
        }
    }
    assert_eq!(expiring, ["holders", "users", "abandoned", "changes", "nodes"]);
}

/// All warnings of this program, each with its generation.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<Warning>>>);

#[derive(Default)]
struct Warning {
    text: String,
    generation: u64,
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut warning = Warning::default();
        event.record(&mut warning);
        self.0.lock().unwrap().push(warning);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Warning {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "generation" {
            self.generation = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_logs_an_expiry_of_keys_once() {
    let warnings = Warnings::default();
    // Thread-local subscribers miss events first logged by another thread.
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let redis = server();
    let settings = settings();
    let nodes = two_nodes(&redis, &settings).await;
    expire(&redis, settings.queue);
    for node in nodes.iter().chain(&nodes) {
        node.call_next(QueueCounters::START, None).await.unwrap();
    }
    let generation = nodes[0].snapshot(QueueCounters::START).await.unwrap().generation;
    let all = warnings.0.lock().unwrap();
    let ours = all.iter().filter(|warning| warning.generation == generation);
    let logged =
        ours.filter(|warning| warning.text.contains("keys of this queue have expired")).count();
    assert_eq!(logged, nodes.len());
}
