//! Servers that hand over: slots that migrate, primaries that die, and failovers by sentinels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adapter_redis::{CachePoolSettings, RedisAddress, RedisCacheDependency, RedisCacheStore};
use decorators::cache::CacheKey;
use domain::HealthCheck as _;
use test_support::{RedisCluster, RedisSentinels};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::{PATIENT, SLACK, get_and_put, key, lookup, name_of, open, settings};
use crate::faults::blocking;
use crate::storm::until;
use crate::support::{binaries, cluster};

const LIMIT: Duration = Duration::from_millis(500);

fn impatient() -> CachePoolSettings {
    CachePoolSettings { acquire: LIMIT, connect: LIMIT, answer: LIMIT, ..PATIENT }
}

/// Tasks that look and put without a pause, each with its own key, until they are stopped.
struct Load {
    goes_on: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

impl Load {
    fn on(store: &RedisCacheStore, keys: Vec<CacheKey>) -> Self {
        let (goes_on, done) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU64>::default());
        let mut tasks = JoinSet::new();
        for key in keys {
            let (store, goes_on, done) = (store.clone(), Arc::clone(&goes_on), Arc::clone(&done));
            tasks.spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    get_and_put(&store, &key, b"copy").await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { goes_on, done, tasks }
    }

    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        until("the load goes on", async || self.done.load(Ordering::Relaxed) > before + 20).await;
    }

    async fn ends(self) -> u64 {
        self.goes_on.store(false, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.done.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_under_load_causes_no_errors() {
    let servers = blocking(|| RedisCluster::start(&binaries(), 3, 0));
    let settings = settings(PATIENT);
    let store = open(cluster(&servers.addresses()), settings.clone());
    let load = Load::on(&store, (0..4).map(key).collect());
    load.goes_on().await;
    let name = name_of(&settings, &key(0));
    let first = blocking(|| servers.primary_of(&name));
    for step in 1..=6 {
        blocking(|| servers.move_slot_of(&name, (first + step) % 3));
        load.goes_on().await;
    }
    assert!(load.ends().await > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_primary_affects_only_its_own_keys_until_its_replica_takes_over() {
    let servers = blocking(|| RedisCluster::start(&binaries(), 3, 1));
    let settings = settings(impatient());
    let store = open(cluster(&servers.addresses()), settings.clone());
    let primary = |key: &CacheKey| blocking(|| servers.primary_of(&name_of(&settings, key)));
    let here = key(0);
    let dead = primary(&here);
    let there = (1..).map(key).find(|other| primary(other) != dead).unwrap();
    for key in [&here, &there] {
        get_and_put(&store, key, b"copy").await.unwrap();
    }
    blocking(|| servers.nodes()[dead].kill());
    let dependency = RedisCacheDependency::new(store.clone());
    until("the replica takes over", async || {
        let requested = Instant::now();
        let found = lookup(&store, &here).await;
        assert!(
            requested.elapsed() < LIMIT * 2 + SLACK,
            "an answer took {:?}",
            requested.elapsed()
        );
        lookup(&store, &there).await.unwrap();
        dependency.check().await.unwrap();
        found.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_by_sentinels_is_followed() {
    let servers = blocking(|| RedisSentinels::start(&binaries()));
    let sentinels: Vec<String> = servers.sentinels().iter().map(ToString::to_string).collect();
    let url = format!("redis-sentinel://{}/{}", sentinels.join(","), servers.name());
    let store = open(RedisAddress::parse(&url).unwrap(), settings(impatient()));
    get_and_put(&store, &key("a"), b"copy").await.unwrap();
    blocking(|| servers.primary().kill());
    until("the replica is the primary", async || {
        get_and_put(&store, &key("b"), b"copy").await.is_ok()
    })
    .await;
    for name in 0..50 {
        get_and_put(&store, &key(name), b"copy").await.unwrap();
    }
}
