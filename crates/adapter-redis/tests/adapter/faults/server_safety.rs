//! Servers whose settings would lose places, and those that require a password.

use std::sync::Arc;

use adapter_redis::{RedisAddress, RedisDependency, RedisQueue, UnsafeConfig};
use domain::queue::{
    NumberBounds, QueueCounters, QueueId, QueueNumber, QueueStore as _, TokenClaims,
};
use domain::{HealthCheck as _, PortErrorKind, Timestamp};
use test_support::{Redis, RedisSetup};

use super::{blocking, brisk_settings};
use crate::storm::{until, user};
use crate::support::{binaries, get_ready, life_of, line_key, note_life, said, single};

const PASSWORD: &str = "opensesame";

fn set_up(lines: &[&str]) -> Redis {
    let setup = lines.iter().fold(RedisSetup::default(), |setup, line| setup.line(*line));
    blocking(|| Redis::start(&binaries(), setup))
}

fn node_of(redis: &Redis) -> Arc<RedisQueue> {
    Arc::new(RedisQueue::open(single(redis.address()), brisk_settings()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_persists_its_data_is_safe() {
    for lines in [&[][..], &["appendonly no", "save 60 1"]] {
        let redis = set_up(lines);
        node_of(&redis).check_safety().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_keys_is_unsafe() {
    let redis = set_up(&["maxmemory-policy allkeys-lru"]);
    let found = node_of(&redis).check_safety().await.unwrap_err();
    assert!(matches!(&found, UnsafeConfig::Evicts(policy) if policy == "allkeys-lru"), "{found}");
    assert!(!found.is_transient());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_persistence_is_unsafe_and_down_if_that_is_refused() {
    let redis = set_up(&["appendonly no"]);
    let node = node_of(&redis);
    let found = node.check_safety().await.unwrap_err();
    assert!(matches!(found, UnsafeConfig::Forgets), "{found}");
    let down = RedisDependency::new(Arc::clone(&node), true).check().await.unwrap_err();
    assert_eq!(down.kind(), PortErrorKind::Unavailable);
    RedisDependency::new(node, false).check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_password_is_a_clear_error_that_does_not_show_it() {
    let redis = set_up(&[&format!("requirepass {PASSWORD}")]);
    let at = redis.address();
    let node = |credentials: &str| {
        let address = RedisAddress::parse(&format!("redis://{credentials}{at}")).unwrap();
        RedisQueue::open(address, brisk_settings())
    };
    for right in [format!(":{PASSWORD}@"), format!("default:{PASSWORD}@")] {
        let node = node(&right);
        node.check_safety().await.unwrap();
        node.snapshot(QueueCounters::START).await.unwrap();
    }
    for (wrong, says) in [(":wrongsesame@", "WRONGPASS"), ("", "NOAUTH")] {
        let node = node(wrong);
        until("the server's refusal is reported", async || {
            let error = node.snapshot(QueueCounters::START).await.unwrap_err();
            let why = said(&error);
            assert_eq!(error.kind(), PortErrorKind::Unavailable, "{why}");
            assert!(!why.contains("sesame"), "{why}");
            why.contains(says)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_report_is_known_while_the_server_answers() {
    let redis = set_up(&["maxmemory 100mb"]);
    let node = node_of(&redis);
    let dependency = RedisDependency::new(Arc::clone(&node), false);
    assert_eq!(node.memory(), None, "no check has run");
    for _round in 0..2 {
        until("it answers", async || dependency.check().await.is_ok()).await;
        let memory = node.memory().unwrap();
        assert_eq!((memory.max, memory.evicted), (100 << 20, 0));
        assert!((100_000..memory.max).contains(&memory.used), "{memory:?}");
        blocking(|| redis.kill());
        until("the loss is noticed", async || dependency.check().await.is_err()).await;
        assert_eq!(node.memory(), None);
        blocking(|| redis.restart());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_joins_is_down_and_still_reports_its_memory() {
    let redis = set_up(&[]);
    let node = node_of(&redis);
    let dependency = RedisDependency::new(Arc::clone(&node), true);
    until("it answers", async || dependency.check().await.is_ok()).await;
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "1"]));
    let down = dependency.check().await.unwrap_err();
    assert_eq!((down.kind(), down.code()), (PortErrorKind::NotReady, Some("OOM")));
    until("its limit is known", async || {
        dependency.check().await.unwrap_err();
        node.memory().unwrap().max == 1
    })
    .await;
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "0"]));
    dependency.check().await.unwrap();
}

/// A node that has given a number, connected as a user whose permissions tests can change.
async fn node_with_a_user() -> (Redis, Arc<RedisQueue>, String) {
    let redis = set_up(&[]);
    blocking(|| redis.command(&["ACL", "SETUSER", "office", "on", ">pw", "~*", "&*", "+@all"]));
    let settings = brisk_settings();
    let address = RedisAddress::parse(&format!("redis://office:pw@{}", redis.address())).unwrap();
    let node = Arc::new(RedisQueue::open(address, settings.clone()));
    get_ready(&node).await;
    let joined = node.join(user(1), None, NumberBounds::NONE).await.unwrap();
    note_life(settings.queue, joined.incarnation);
    (redis, node, line_key(settings.queue))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_permits_only_some_keys_of_the_queue_is_down() {
    let (redis, node, hash) = node_with_a_user().await;
    let dependency = RedisDependency::new(Arc::clone(&node), true);
    let may = |keys: &[String]| {
        let keys = keys.iter().map(String::as_str);
        let words: Vec<_> =
            ["ACL", "SETUSER", "office", "resetkeys"].into_iter().chain(keys).collect();
        blocking(|| redis.command(&words));
    };
    for missing in KEYS {
        let others = KEYS.iter().filter(|name| **name != missing);
        let mut permitted: Vec<_> =
            others.map(|name| format!("~{}", hash.replace(":line", &format!(":{name}")))).collect();
        permitted.push(format!("~{}", hash.replace(":line", ":probe")));
        for may_read in [false, true] {
            if may_read {
                permitted.push(format!("%R~{}", hash.replace(":line", &format!(":{missing}"))));
            }
            dependency.check().await.unwrap();
            may(&permitted);
            let down = dependency.check().await.unwrap_err();
            assert_eq!(
                (down.kind(), down.code()),
                (PortErrorKind::NotReady, Some("NOPERM")),
                "{missing}"
            );
            node.join(user(2), None, NumberBounds::NONE).await.unwrap_err();
            may(&["~*".to_owned()]);
        }
    }
    dependency.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_type_marks_the_server_down_and_is_named() {
    let (redis, node, hash) = node_with_a_user().await;
    let dependency = RedisDependency::new(Arc::clone(&node), true);
    for name in KEYS {
        dependency.check().await.unwrap();
        let key = hash.replace(":line", &format!(":{name}"));
        blocking(|| redis.command(&["DEL", &key]));
        blocking(|| redis.command(&["SET", &key, "foreign value"]));
        let down = dependency.check().await.unwrap_err();
        assert_eq!(
            (down.kind(), down.code()),
            (PortErrorKind::NotReady, Some("WRONGTYPE")),
            "{name}"
        );
        assert!(said(&down).contains(&key), "{}", said(&down));
        blocking(|| redis.command(&["DEL", &key]));
    }
    dependency.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_changes_nothing_of_the_queue() {
    let (redis, node, hash) = node_with_a_user().await;
    let dependency = RedisDependency::new(Arc::clone(&node), true);
    let dump = || {
        KEYS.map(|name| {
            blocking(|| redis.command(&["DUMP", &hash.replace(":line", &format!(":{name}"))]))
        })
    };
    for person in 2..=4 {
        node.join(user(person), None, NumberBounds::NONE).await.unwrap();
    }
    let queue = QueueId::parse(hash.split(['{', '}']).nth(1).unwrap()).unwrap();
    let place = |person: u64| TokenClaims {
        queue,
        incarnation: life_of(queue),
        number: QueueNumber::new(person).unwrap(),
        user: user(person),
        issued_at: Timestamp::UNIX_EPOCH,
    };
    node.claim(&place(1)).await.unwrap();
    node.release(&place(2)).await.unwrap();
    let before = dump();
    let changes = blocking(|| redis.command(&["LLEN", &hash.replace(":line", ":changes")]));
    assert_eq!(changes.trim(), "2", "a log that a check must not shorten");
    dependency.check().await.unwrap();
    assert_eq!(dump(), before);
}

/// Every key that joins use.
pub(super) const KEYS: [&str; 15] = [
    "line",
    "holders",
    "users",
    "abandoned",
    "skipped",
    "found",
    "late",
    "recalled",
    "calls",
    "used",
    "sessions",
    "inside",
    "given_back",
    "changes",
    "nodes",
];
