//! Values in the keys of a queue that no step can have written: probes name the key, and the queue
//! never moves by them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_redis::{RedisDependency, RedisQueue, RedisQueueSettings};
use domain::queue::{
    AdmissionPolicy, Incarnation, NumberBounds, PlaceStatus, PolicySpec, QueueCounters,
    QueueNumber, QueueStore as _, TokenClaims,
};
use domain::{HealthCheck as _, PortErrorKind, Timestamp};
use test_support::Redis;

use super::server_safety::KEYS;
use super::{blocking, brisk_settings, server};
use crate::storm::{until, user};
use crate::support::{get_ready, line_key, ready_nodes, said, single};

/// Kinds of unexpected values: name, value, and score.
const KINDS: [(&str, &str, &str); 5] = [
    ("no number", "nonsense", "2"),
    ("negative", "-5", "-5"),
    ("above 2^53", "9007199254740994", "9007199254740994"),
    ("a fraction", "1.5", "1.5"),
    // In microseconds of the queue's time, which begins with the queue, and of the clock.
    ("beyond tomorrow", "1999999999000000", "1999999999000000"),
];

/// One place is inside, one more is called, and then no one for a long time.
const INSIDE: u64 = 1;
const CALLED: u64 = 2;
const WAITING: u64 = 8;

struct Queue {
    redis: Redis,
    settings: RedisQueueSettings,
    node: Arc<RedisQueue>,
    dependency: RedisDependency,
    life: Incarnation,
}

impl Queue {
    async fn start() -> Self {
        let redis = server();
        let spec = PolicySpec {
            batch: u32::try_from(CALLED).unwrap(),
            every: Duration::from_secs(1),
            max_active: u32::try_from(CALLED).unwrap(),
            ..PolicySpec::default()
        };
        let settings =
            RedisQueueSettings { policy: AdmissionPolicy::new(spec).unwrap(), ..brisk_settings() };
        let [node] = ready_nodes(1, &single(redis.address()), &settings)
            .await
            .try_into()
            .unwrap_or_else(|_| panic!());
        let dependency = RedisDependency::new(Arc::clone(&node), true);
        let life =
            node.snapshot(QueueCounters::START).await.unwrap().incarnations.oldest().unwrap();
        let queue = Self { redis, settings, node, dependency, life };
        for person in 1..=WAITING {
            assert_eq!(queue.join(person).await.unwrap(), person);
        }
        queue.node.call_next(QueueCounters::START, None).await.unwrap();
        queue.node.claim(&queue.place(INSIDE)).await.unwrap();
        // One person leaves while waiting, one after being called.
        queue.node.release(&queue.place(WAITING)).await.unwrap();
        queue.node.call_next(QueueCounters::START, None).await.unwrap();
        queue
    }

    fn place(&self, person: u64) -> TokenClaims {
        let number = QueueNumber::new(person).unwrap();
        let (queue, incarnation) = (self.settings.queue, self.life);
        TokenClaims {
            queue,
            incarnation,
            number,
            user: user(person),
            issued_at: Timestamp::UNIX_EPOCH,
        }
    }

    async fn join(&self, person: u64) -> Result<u64, String> {
        let joined = self.node.join(user(person), None, NumberBounds::NONE).await;
        joined.map(|joined| joined.number.get()).map_err(|error| format!("{error:?}"))
    }

    fn key(&self, name: &str) -> String {
        line_key(self.settings.queue).replace(":line", &format!(":{name}"))
    }

    fn command(&self, words: &[&str]) -> String {
        blocking(|| self.redis.command(words))
    }

    /// Restores a field of the queue's hash.
    fn restore(&self, field: &str, before: &str) {
        let hash = self.key("line");
        match before.trim() {
            "" => self.command(&["HDEL", &hash, field]),
            before => self.command(&["HSET", &hash, field, before]),
        };
    }

    /// Adds an unexpected value to a key.
    fn plant(&self, name: &str, value: &str, score: &str) {
        let key = self.key(name);
        // Eight bytes, like a user.
        let client = "somebody".to_owned();
        match name {
            "holders" => self.command(&["HSET", &key, &client, value]),
            "users" | "inside" => self.command(&["HSET", &key, value, value]),
            "nodes" => self.command(&[
                "HSET",
                &key,
                "somebody",
                &format!("{value}:{value}:{value}:{value}"),
            ]),
            "changes" => self.command(&["RPUSH", &key, value]),
            "skipped" => self.command(&["ZADD", &key, score, &format!("{value}:{value}")]),
            "calls" => self.command(&["ZADD", &key, score, &format!("0:{value}:{value}")]),
            _ => self.command(&["ZADD", &key, score, value]),
        };
    }

    /// Checks that no number is given twice or left out, and that no one is called.
    async fn stays_where_it_is(&self, what: &str, given: &mut Vec<u64>) {
        for person in 1..WAITING {
            match self.join(person).await {
                Ok(number) => assert_eq!(number, person, "{what}"),
                Err(error) => {
                    assert!(
                        error.contains("FOREIGN") || error.contains("WRONGTYPE"),
                        "{what}: {error}"
                    );
                }
            }
        }
        let next = *given.last().unwrap() + 1;
        match self.join(1_000 + next).await {
            Ok(number) => {
                assert_eq!(number, next, "{what}");
                given.push(number);
            }
            Err(error) => {
                assert!(
                    error.contains("FOREIGN") || error.contains("WRONGTYPE"),
                    "{what}: {error}"
                );
            }
        }
        match self.node.call_next(QueueCounters::START, None).await {
            Ok(called) => {
                assert_eq!(
                    (called.count, called.snapshot.counters.serving()),
                    (0, CALLED),
                    "{what}"
                );
            }
            Err(error) => assert_eq!(error.kind(), PortErrorKind::NotReady, "{what}: {error:?}"),
        }
        for person in CALLED + 1..WAITING {
            match self.node.place_status(&self.place(person)).await {
                Ok(place_status) => {
                    assert_eq!(place_status, PlaceStatus::Waiting, "{what}: {person}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), PortErrorKind::NotReady, "{what}: {error:?}");
                }
            }
            self.node.claim(&self.place(person)).await.unwrap_err();
        }
    }

    async fn names(&self, key: &str, what: &str) {
        until(&format!("readiness names the key: {what}"), async || {
            let Err(down) = self.dependency.check().await else { return false };
            assert_eq!(down.kind(), PortErrorKind::NotReady, "{what}: {}", said(&down));
            assert!(
                ["FOREIGN", "WRONGTYPE"].contains(&down.code().unwrap()),
                "{what}: {}",
                said(&down)
            );
            assert!(said(&down).contains(key), "{what}: {}", said(&down));
            true
        })
        .await;
    }

    async fn goes_on(&self, what: &str, given: &mut Vec<u64>) {
        until("it takes joins again", async || self.dependency.check().await.is_ok()).await;
        let next = given.last().unwrap() + 1;
        let newcomer = 1_000 + next;
        until("numbers are given again", async || self.join(newcomer).await.is_ok()).await;
        assert_eq!(self.join(newcomer).await.unwrap(), next, "{what}");
        given.push(next);
        let seen = self.node.snapshot(QueueCounters::START).await.unwrap();
        assert_eq!(
            (seen.counters.last(), seen.counters.serving()),
            (*given.last().unwrap(), CALLED),
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexpected_value_is_named_by_its_key_and_has_no_effect() {
    let queue = Queue::start().await;
    let mut given = vec![WAITING];
    for name in KEYS.into_iter().filter(|name| *name != "line") {
        for (kind, value, score) in KINDS {
            let what = format!("{kind} in {name}");
            let key = queue.key(name);
            queue.plant(name, value, score);
            queue.stays_where_it_is(&what, &mut given).await;
            // An entry that looks expired is removed by the next step.
            let is_swept =
                name == "given_back" && queue.command(&["ZSCORE", &key, value]).trim().is_empty();
            if !is_swept {
                queue.names(&key, &what).await;
            }
            // Values written meanwhile stay; only the planted one is removed.
            let client = "somebody".to_owned();
            match name {
                "holders" => queue.command(&["HDEL", &key, &client]),
                "users" | "inside" => queue.command(&["HDEL", &key, value]),
                "nodes" => queue.command(&["HDEL", &key, "somebody"]),
                "changes" => queue.command(&["LREM", &key, "0", value]),
                "skipped" => queue.command(&["ZREM", &key, &format!("{value}:{value}")]),
                "calls" => queue.command(&["ZREM", &key, &format!("0:{value}:{value}")]),
                _ => queue.command(&["ZREM", &key, value]),
            };
            queue.goes_on(&what, &mut given).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_field_stops_the_queue_until_it_is_restored() {
    let queue = Queue::start().await;
    let mut given = vec![WAITING];
    let hash = queue.key("line");
    for field in [
        "last",
        "serving",
        "generation",
        "version",
        "time",
        "clock",
        "spent",
        "standing",
        "doubt_until",
        "joined",
    ] {
        for (kind, value, _) in KINDS {
            // Versions and generations are as high as times, and the clock may be set back.
            let is_possible = kind == "beyond tomorrow"
                && !["time", "spent", "doubt_until"].contains(&field)
                || kind == "negative" && field == "standing";
            if is_possible {
                continue;
            }
            let what = format!("{kind} in {field}");
            let before = queue.command(&["HGET", &hash, field]);
            queue.command(&["HSET", &hash, field, value]);
            queue.stays_where_it_is(&what, &mut given).await;
            queue.names(&hash, &what).await;
            queue.restore(field, &before);
            queue.goes_on(&what, &mut given).await;
        }
    }
    for (field, value) in [
        ("serving", "1000"),
        ("standing", "1000000000"),
        ("doubt", "2"),
        ("adopts_until", "9007199254740991"),
        ("lives", "1,2,3,4,5"),
        ("last", "1000000000000000"),
        // A valid number, but more than any policy lets wait.
        ("last", "1000000000000"),
        ("raised_to", "1099511627776"),
        ("raised_to", "1000000"),
        ("raised_from", "1000000"),
        ("generation", "9007199254740991"),
        ("version", "9007199254740991"),
        ("skipped_at", "9000000000000000"),
        ("standing", "5"),
    ] {
        let what = format!("{value} in {field}");
        let before = queue.command(&["HGET", &hash, field]);
        queue.command(&["HSET", &hash, field, value]);
        queue.stays_where_it_is(&what, &mut given).await;
        queue.names(&hash, &what).await;
        queue.restore(field, &before);
        queue.goes_on(&what, &mut given).await;
    }
}

/// It would skip people once the queue reaches it.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_skipped_above_all_numbers_stops_the_queue_until_it_is_removed() {
    let queue = Queue::start().await;
    let mut given = vec![WAITING];
    let key = queue.key("skipped");
    for (above, length) in [(0, 3), (1, 3), (1_000, 1_000)] {
        let from = given.last().unwrap() + above;
        let (end, range) = ((from + length).to_string(), format!("{from}:{}", from + length));
        // An entry above it that is not a range does not hide it.
        queue.command(&["ZADD", &key, &end, &range, "9000000000000000", "junk"]);
        let before = given.clone();
        queue.stays_where_it_is(&range, &mut given).await;
        assert_eq!(given, before, "{range}: no number is given meanwhile");
        queue.names(&key, &range).await;
        queue.command(&["ZREM", &key, "junk"]);
        queue.stays_where_it_is(&range, &mut given).await;
        assert_eq!(given, before, "{range}: nor when it is alone");
        queue.command(&["ZREM", &key, &range]);
        queue.goes_on(&range, &mut given).await;
    }
}

/// Slots limit the calls, whatever other programs count as abandoned or used.
#[tokio::test(flavor = "multi_thread")]
async fn entries_of_another_program_call_nobody_more() {
    for (name, score, entries) in [("abandoned", "5", 6), ("used", "1", 150)] {
        let queue = Queue::start().await;
        for entry in 0..entries {
            queue.command(&["ZADD", &queue.key(name), score, &format!("junk{entry}")]);
        }
        queue.node.release(&queue.place(INSIDE)).await.unwrap();
        until("the free slot is used", async || {
            let called = queue.node.call_next(QueueCounters::START, None).await.unwrap();
            called.snapshot.counters.serving() == CALLED + 1
        })
        .await;
        // The budget is full again after a second.
        let end = Instant::now() + Duration::from_millis(1_500);
        while Instant::now() < end {
            let called = queue.node.call_next(QueueCounters::START, None).await.unwrap();
            assert_eq!(called.snapshot.counters.serving(), CALLED + 1, "{name}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_hidden_by_another_program_are_open_again_afterwards() {
    let queue = Queue::start().await;
    let key = queue.key("calls");
    let junk: Vec<String> = (0..11).map(|entry| format!("!junk{entry}")).collect();
    for entry in &junk {
        queue.command(&["ZADD", &key, &CALLED.to_string(), entry]);
    }
    let refused = queue.node.place_status(&queue.place(CALLED)).await;
    assert!(!matches!(refused, Ok(PlaceStatus::Gone)), "{refused:?}");
    for entry in &junk {
        queue.command(&["ZREM", &key, entry]);
    }
    let place_status = queue.node.place_status(&queue.place(CALLED)).await.unwrap();
    assert!(matches!(place_status, PlaceStatus::Called { .. }), "{place_status:?}");
}

/// The next calls are one batch away, as after an outage, and not half a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_overdrawn_by_another_program_delays_calls_by_one_batch_at_most() {
    let queue = Queue::start().await;
    queue.node.release(&queue.place(INSIDE)).await.unwrap();
    queue.node.release(&queue.place(CALLED)).await.unwrap();
    let hash = queue.key("line");
    let time: u64 = queue.command(&["HGET", &hash, "time"]).trim().parse().unwrap();
    queue.command(&["HSET", &hash, "spent", &(time + 12 * 3_600 * 1_000_000).to_string()]);
    until("people are called again", async || {
        queue.node.call_next(QueueCounters::START, None).await.unwrap().snapshot.counters.serving()
            == 2 * CALLED
    })
    .await;
}

/// Joins are refused before they have any effect: a half-given number could be given twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_causes_no_duplicate_number() {
    let queue = Queue::start().await;
    let mut given = vec![WAITING];
    for name in KEYS {
        let (key, kept) = (queue.key(name), queue.key("kept"));
        let was_there = queue.command(&["EXISTS", &key]).trim() == "1";
        if was_there {
            queue.command(&["RENAME", &key, &kept]);
        }
        queue.command(&["SET", &key, "foreign value"]);
        let newcomer = 2_000 + given.last().unwrap();
        let refused = queue.join(newcomer).await.unwrap_err();
        assert!(refused.contains("WRONGTYPE") && refused.contains(&key), "{name}: {refused}");
        queue.stays_where_it_is(name, &mut given).await;
        queue.names(&key, name).await;
        queue.command(&["DEL", &key]);
        if was_there {
            queue.command(&["RENAME", &kept, &key]);
        }
        queue.goes_on(name, &mut given).await;
        // The refused user was given nothing.
        let number = queue.join(newcomer).await.unwrap();
        assert_eq!(number, given.last().unwrap() + 1, "{name}");
        given.push(number);
    }
    get_ready(&queue.node).await;
}
