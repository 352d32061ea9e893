//! A Redis of the cache that is down, silent, restarted, full, or requires a password.

use std::sync::Arc;
use std::time::Duration;

use adapter_redis::{CachePoolSettings, RedisAddress, RedisCacheDependency, RedisCacheStore};
use bytes::Bytes;
use decorators::cache::{CacheStore as _, LeaseId, PutOutcome};
use domain::{Dependency, HealthCheck as _, PortErrorKind};
use test_support::{FaultProxy, Redis, RedisSetup};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::{LONG, PATIENT, SLACK, get_and_put, key, lookup, store};
use crate::faults::{blocking, server};
use crate::storm::until;
use crate::support::{binaries, single};

const LIMIT: Duration = Duration::from_millis(300);

fn impatient() -> CachePoolSettings {
    CachePoolSettings { acquire: LIMIT, connect: LIMIT, answer: LIMIT, ..PATIENT }
}

fn set_up(lines: &[&str]) -> Redis {
    let setup = lines.iter().fold(RedisSetup::default(), |setup, line| setup.line(*line));
    blocking(|| Redis::start(&binaries(), setup))
}

async fn answers(store: &RedisCacheStore) {
    until("it answers", async || lookup(store, &key("a")).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_a_down_server_fail_fast_and_recover() {
    let redis = server();
    let store = store(&single(redis.address()), impatient());
    let dependency = RedisCacheDependency::new(store.clone());
    for _round in 0..3 {
        answers(&store).await;
        dependency.check().await.unwrap();
        blocking(|| redis.kill());
        until("the loss is noticed", async || lookup(&store, &key("a")).await.is_err()).await;
        let began = Instant::now();
        for _question in 0..1_000 {
            let error = lookup(&store, &key("a")).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.dependency()),
                (PortErrorKind::Unavailable, Dependency::CACHE_REDIS)
            );
        }
        assert!(began.elapsed() < SLACK, "1,000 refusals took {:?}", began.elapsed());
        assert_eq!(dependency.check().await.unwrap_err().kind(), PortErrorKind::Unavailable);
        blocking(|| redis.restart());
    }
    answers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_to_a_restarted_server_succeeds() {
    let redis = server();
    let store = store(&single(redis.address()), PATIENT);
    for round in 0..5 {
        // All connections of the pool, idle when the server restarts.
        let mut refreshes = JoinSet::new();
        for _look in 0..20 {
            let store = store.clone();
            refreshes.spawn(async move { get_and_put(&store, &key(round), b"copy").await });
        }
        refreshes.join_all().await.into_iter().for_each(|looked| looked.unwrap());
        blocking(|| redis.restart());
        lookup(&store, &key(round)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_flush_causes_no_errors() {
    let redis = server();
    let store = store(&single(redis.address()), PATIENT);
    for round in 0..5 {
        blocking(|| redis.command(&["SCRIPT", "FLUSH"]));
        get_and_put(&store, &key(round), b"copy").await.unwrap();
        get_and_put(&store, &key(round), b"copy").await.unwrap();
        store.invalidate("concerts").await.unwrap();
        assert!(store.invalidated("concerts").await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_connection_costs_no_more_than_the_limit() {
    let redis = server();
    let proxy = FaultProxy::to(redis.address()).unwrap();
    let store = store(&single(proxy.address()), impatient());
    answers(&store).await;
    proxy.block();
    let began = Instant::now();
    let error = lookup(&store, &key("a")).await.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Timeout);
    assert!(began.elapsed() >= LIMIT && began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    // Its connection was dropped, and no other can be made.
    for _question in 0..5 {
        let began = Instant::now();
        let error = lookup(&store, &key("a")).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{error:?}");
        assert!(began.elapsed() < LIMIT + SLACK, "{:?}", began.elapsed());
    }
    proxy.mend();
    answers(&store).await;
}

/// A reused connection would deliver the answer of an abandoned call to the next one.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_gets_the_answer_of_an_abandoned_one() {
    let redis = server();
    let proxy = FaultProxy::to(redis.address()).unwrap();
    let pool = CachePoolSettings { size: 2, answer: Duration::from_millis(20), ..PATIENT };
    let store = store(&single(proxy.address()), pool);
    for name in 0..10 {
        until("it is put", async || {
            get_and_put(&store, &key(name), name.to_string().as_bytes()).await.is_ok()
        })
        .await;
    }
    let (mut answered, mut given_up) = (0, 0);
    let mut round = 0;
    while answered < 100 || given_up < 20 {
        // Slower than the limit, then fast again.
        proxy.delay(if round % 3 == 0 { Duration::from_millis(40) } else { Duration::ZERO });
        let mut refreshes = JoinSet::new();
        for name in 0..10 {
            let store = store.clone();
            refreshes.spawn(async move { (name, lookup(&store, &key(name)).await) });
        }
        for (name, found) in refreshes.join_all().await {
            match found {
                Ok(found) => {
                    assert_eq!(found.kept.unwrap().unwrap().payload, name.to_string());
                    answered += 1;
                }
                Err(_) => given_up += 1,
            }
        }
        round += 1;
        assert!(round < 500, "{answered} answered, {given_up} given up");
    }
}

/// A caller dropped at any moment takes no connection along and leaves none half read.
#[tokio::test(flavor = "multi_thread")]
async fn dropped_callers_do_not_affect_others() {
    let redis = server();
    let store = store(&single(redis.address()), CachePoolSettings { size: 2, ..PATIENT });
    for name in 0..10 {
        get_and_put(&store, &key(name), name.to_string().as_bytes()).await.unwrap();
    }
    for round in 0..300_u64 {
        let gone =
            tokio::time::timeout(Duration::from_micros(round * 3), lookup(&store, &key(0))).await;
        drop(gone);
        let name = round % 10;
        let found = lookup(&store, &key(name)).await.unwrap();
        assert_eq!(found.kept.unwrap().unwrap().payload, name.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_max_waiting_is_refused_at_once() {
    let redis = server();
    let answer = Duration::from_secs(2);
    let pool = CachePoolSettings { size: 2, max_waiting: 6, answer, ..PATIENT };
    let store = store(&single(redis.address()), pool);
    answers(&store).await;
    blocking(|| redis.freeze());
    let mut refreshes = JoinSet::new();
    for _look in 0..40 {
        let (store, requested) = (store.clone(), Instant::now());
        refreshes.spawn(async move {
            (lookup(&store, &key("a")).await.unwrap_err().kind(), requested.elapsed())
        });
    }
    let mut reported = Vec::new();
    while let Some(refused) = refreshes.join_next().await {
        let (kind, after) = refused.unwrap();
        if kind == PortErrorKind::Overloaded && reported.len() < 32 {
            assert!(after < answer / 2, "refused after {after:?}");
        }
        reported.push(kind);
    }
    let refused = reported.iter().filter(|kind| **kind == PortErrorKind::Overloaded).count();
    assert_eq!(refused, 32, "{reported:?}");
    blocking(|| redis.thaw());
    answers(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_evicts_takes_all_copies_without_errors() {
    const KEYS: u64 = 6_000;
    let redis = set_up(&["maxmemory 8mb", "maxmemory-policy allkeys-lfu", "appendonly no"]);
    let store = store(&single(redis.address()), PATIENT);
    let payload = vec![b'x'; 4_000];
    let mut fillers = JoinSet::new();
    for filler in 0..4 {
        let (store, payload) = (store.clone(), payload.clone());
        fillers.spawn(async move {
            for name in (0..KEYS).skip(filler).step_by(4) {
                get_and_put(&store, &key(name), &payload).await.unwrap();
            }
        });
    }
    fillers.join_all().await;
    let stats = blocking(|| redis.command(&["INFO", "stats"]));
    let evicted = stats.lines().find_map(|line| line.trim().strip_prefix("evicted_keys:")).unwrap();
    assert!(evicted.parse::<u64>().unwrap() > KEYS / 4, "{evicted} evicted");
    let mut found = 0;
    for name in 0..KEYS {
        found += u64::from(lookup(&store, &key(name)).await.unwrap().kept.unwrap().is_some());
    }
    assert!(found > 0 && found < KEYS, "{found} found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_without_eviction_refuses_puts_and_still_serves_copies() {
    let redis = set_up(&["maxmemory 4mb", "appendonly no"]);
    let store = store(&single(redis.address()), PATIENT);
    get_and_put(&store, &key("first"), b"first").await.unwrap();
    let payload = Bytes::from(vec![b'x'; 50_000]);
    let mut refused = None;
    for name in 0..200 {
        let at = decorators::cache::CopyVersion(name + 1);
        if let Err(error) = store.put(&key(name), payload.clone(), at, LONG, LeaseId(7)).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.kind(), refused.code()), (PortErrorKind::NotReady, Some("OOM")));
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("OOM"), "{why}");
    let found = lookup(&store, &key("first")).await.unwrap();
    assert_eq!(found.kept.unwrap().unwrap().payload, "first");
    // The copy can be stored once there is room again.
    blocking(|| redis.command(&["CONFIG", "SET", "maxmemory", "0"]));
    let at = lookup(&store, &key("new")).await.unwrap().at;
    assert_eq!(
        store.put(&key("new"), payload, at, LONG, LeaseId(7)).await.unwrap(),
        PutOutcome::Kept
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_copies_is_down_although_it_answers() {
    let redis = set_up(&["appendonly no"]);
    let store = store(&single(redis.address()), PATIENT);
    let dependency = RedisCacheDependency::new(store.clone());
    get_and_put(&store, &key("first"), b"first").await.unwrap();
    dependency.check().await.unwrap();
    for (setting, bad, good, code) in
        [("maxmemory", "1", "0", "OOM"), ("min-replicas-to-write", "1", "0", "NOREPLICAS")]
    {
        blocking(|| redis.command(&["CONFIG", "SET", setting, bad]));
        let down = dependency.check().await.unwrap_err();
        assert_eq!((down.kind(), down.code()), (PortErrorKind::NotReady, Some(code)));
        assert_eq!(store.memory().map(|memory| memory.evicted), Some(0), "it still reports this");
        blocking(|| redis.command(&["CONFIG", "SET", setting, good]));
        dependency.check().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_a_clear_error_that_does_not_show_it() {
    let redis = set_up(&["requirepass opensesame"]);
    let at = redis.address();
    let open = |credentials: &str| {
        let address = RedisAddress::parse(&format!("redis://{credentials}{at}")).unwrap();
        store(&address, PATIENT)
    };
    for right in [":opensesame@", "default:opensesame@"] {
        lookup(&open(right), &key("a")).await.unwrap();
    }
    for wrong in [":wrongsesame@", ""] {
        let error = lookup(&open(wrong), &key("a")).await.unwrap_err();
        let why = format!("{error:?}");
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{why}");
        assert!(!why.contains("sesame"), "{why}");
        assert!(why.contains("WRONGPASS") || why.contains("NOAUTH"), "{why}");
    }
}

/// Like HTTP workers, each with its own runtime.
#[test]
fn connections_outlive_the_runtime_that_needed_them_first() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let main =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let redis = Redis::start(&binaries(), RedisSetup::default()).unwrap();
    let before = connections_made(&redis);
    let pool = CachePoolSettings { size: 1, ..PATIENT };
    let store = Arc::new(main.block_on(async { store(&single(redis.address()), pool) }));
    for round in 0..3 {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            runtime().block_on(get_and_put(&store, &key(round), b"copy")).unwrap();
        })
        .join()
        .unwrap();
    }
    // Ours, and that of the command itself.
    assert_eq!(connections_made(&redis), before + 2);
}

fn connections_made(redis: &Redis) -> u64 {
    let stats = redis.command(&["INFO", "stats"]).unwrap();
    let made =
        stats.lines().find_map(|line| line.trim().strip_prefix("total_connections_received:"));
    made.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_report_is_known_while_the_server_answers() {
    let redis = set_up(&["maxmemory 4mb", "maxmemory-policy allkeys-lru"]);
    let store = store(&single(redis.address()), impatient());
    let dependency = RedisCacheDependency::new(store.clone());
    answers(&store).await;
    assert_eq!(store.memory(), None, "no check has run");
    for name in 0..100 {
        get_and_put(&store, &key(name), &[7; 90_000]).await.unwrap();
    }
    dependency.check().await.unwrap();
    let memory = store.memory().unwrap();
    assert_eq!(memory.max, 4 << 20);
    assert!(memory.used > 100_000 && memory.evicted > 0, "{memory:?}");
    blocking(|| redis.kill());
    until("the loss is noticed", async || dependency.check().await.is_err()).await;
    assert_eq!(store.memory(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_memory_report_passes_the_check() {
    let redis = server();
    blocking(|| redis.command(&["ACL", "SETUSER", "default", "-info"]));
    let store = store(&single(redis.address()), PATIENT);
    RedisCacheDependency::new(store.clone()).check().await.unwrap();
    assert_eq!(store.memory(), None);
}
