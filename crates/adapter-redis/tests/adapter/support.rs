//! Servers, separate queues, and nodes that share a queue.

use std::collections::HashMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adapter_redis::{
    Batching, ConnectionSettings, Durability, RedisAddress, RedisQueue, RedisQueueSettings,
};
use domain::PortError;
use domain::queue::{AdmissionPolicy, Incarnation, QueueCounters, QueueId, QueueStore as _};
use test_support::{Redis, RedisBinaries, RedisCluster, RedisSetup};

use crate::storm::pause;

/// Shared by the tests that break nothing; each has its own queue. They are stopped when this
/// program ends.
pub(crate) static SINGLE: LazyLock<Redis> =
    LazyLock::new(|| Redis::start(&binaries(), RedisSetup::default()).unwrap());
pub(crate) static CLUSTER: LazyLock<RedisCluster> =
    LazyLock::new(|| RedisCluster::start(&binaries(), 3, 1).unwrap());

pub(crate) fn binaries() -> RedisBinaries {
    RedisBinaries::find().unwrap()
}

/// A queue that no other test uses.
pub(crate) fn new_queue() -> QueueId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    QueueId::parse(&format!("q{}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap()
}

pub(crate) fn line_key(queue: QueueId) -> String {
    format!("boxoffice:{{{queue}}}:line")
}

/// Limits that even a busy machine keeps.
pub(crate) const PATIENT: ConnectionSettings = ConnectionSettings {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    max_in_flight: 10_000,
};

pub(crate) fn settings(queue: QueueId, policy: AdmissionPolicy) -> RedisQueueSettings {
    RedisQueueSettings {
        queue,
        policy,
        durability: Durability::Primary,
        batching: Batching {
            max_waiting: 100_000,
            max_wait: PATIENT.answer,
            ..Batching::default()
        },
        lifetime: Duration::from_secs(3_600),
        remember: Duration::ZERO,
        recovery: Duration::from_secs(2),
        needs_checkpoint: false,
        connection: PATIENT,
    }
}

pub(crate) fn single(address: SocketAddr) -> RedisAddress {
    RedisAddress::parse(&format!("redis://{address}")).unwrap()
}

pub(crate) fn cluster(addresses: &[SocketAddr]) -> RedisAddress {
    let nodes: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    RedisAddress::parse(&format!("redis-cluster://{}", nodes.join(","))).unwrap()
}

/// This many nodes with the same settings, all of which may give numbers: the store accepts each
/// and is not in doubt.
pub(crate) async fn ready_nodes(
    count: usize,
    address: &RedisAddress,
    settings: &RedisQueueSettings,
) -> Vec<Arc<RedisQueue>> {
    let nodes = nodes(count, address, settings);
    for node in &nodes {
        get_ready(node).await;
        let seen = node.snapshot(QueueCounters::START).await.unwrap();
        note_life(settings.queue, seen.incarnations.oldest().unwrap());
    }
    nodes
}

static LIVES: Mutex<Option<HashMap<QueueId, Incarnation>>> = Mutex::new(None);

/// Remembers the first incarnation of a queue.
pub(crate) fn note_life(queue: QueueId, life: Incarnation) {
    let mut lives = LIVES.lock().unwrap_or_else(PoisonError::into_inner);
    lives.get_or_insert_default().entry(queue).or_insert(life);
}

/// The first incarnation of a queue, which its tokens carry; any one if none is known.
pub(crate) fn life_of(queue: QueueId) -> Incarnation {
    let lives = LIVES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lives.as_ref().and_then(|lives| lives.get(&queue)).copied();
    known.unwrap_or_else(|| Incarnation::new(1).unwrap())
}

/// Waits until the store lets this node give numbers, and is not in doubt.
pub(crate) async fn get_ready(node: &RedisQueue) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let seen = node.snapshot(QueueCounters::START).await;
        if seen.as_ref().is_ok_and(|seen| seen.may_join) {
            return;
        }
        assert!(Instant::now() < deadline, "a node may not give numbers: {seen:?}");
        pause().await;
    }
}

/// This many nodes with the same settings.
pub(crate) fn nodes(
    count: usize,
    address: &RedisAddress,
    settings: &RedisQueueSettings,
) -> Vec<Arc<RedisQueue>> {
    (0..count).map(|_| Arc::new(RedisQueue::open(address.clone(), settings.clone()))).collect()
}

/// An error with its causes.
pub(crate) fn said(error: &PortError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
