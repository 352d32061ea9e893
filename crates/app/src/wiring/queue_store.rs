//! [`QueueStore`], chosen by `queue.store`.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryQueue;
use adapter_redis::{Batching, RedisDependency, RedisQueue, RedisQueueSettings};
use domain::queue::{AdmissionPolicy, QueueStore};
use domain::{Clock, HealthCheck};
use telemetry::metrics::Meters;

use crate::config::{CheckpointStoreKind, Config, QueueStoreKind, WhenUnsafe};
use crate::metrics;
use crate::start_error::StartError;

pub(crate) struct StoreOfQueue {
    pub(crate) store: Arc<dyn QueueStore>,
    /// The name of the store in metrics.
    pub(crate) system: &'static str,
    /// Present if the store is outside this process.
    pub(crate) dependency: Option<Arc<dyn HealthCheck>>,
}

pub(crate) async fn queue_store(
    config: &Config,
    policy: AdmissionPolicy,
    clock: Arc<dyn Clock>,
    meters: &Meters,
) -> Result<StoreOfQueue, StartError> {
    match config.queue.store {
        QueueStoreKind::Memory => Ok(StoreOfQueue {
            store: Arc::new(MemoryQueue::new(policy, clock)),
            system: "memory",
            dependency: None,
        }),
        QueueStoreKind::Redis => in_redis(config, policy, meters).await,
    }
}

/// Long enough for every node to lose its connection, reconnect and refresh its view a few times.
fn recovery(config: &Config) -> Duration {
    let refreshes = 10 * config.queue.refresh.0;
    let redis = &config.redis.queue;
    (redis.connect_timeout.0 + redis.timeout.0 + refreshes).max(Duration::from_secs(2))
}

/// Every node sees within this time that a place was released on another node.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(1);

async fn in_redis(
    config: &Config,
    policy: AdmissionPolicy,
    meters: &Meters,
) -> Result<StoreOfQueue, StartError> {
    let (line, redis) = (&config.queue, &config.redis.queue);
    let settings = RedisQueueSettings {
        queue: line.queue_id()?,
        policy,
        durability: line.durability.into(),
        batching: Batching {
            max_waiting: line.max_waiting_joins as usize,
            max_wait: line.max_join_wait.0,
            ..Batching::default()
        },
        lifetime: line.token_ttl.0,
        remember: line.stale_after.0.min(GIVEN_BACK_WITHIN),
        recovery: recovery(config),
        needs_checkpoint: line.checkpoint.store != CheckpointStoreKind::None,
        connection: redis.connection(),
    };
    let store = Arc::new(RedisQueue::open(redis.address()?, settings));
    metrics::watch_line_redis(meters, &store);
    let refuses = redis.when_unsafe == WhenUnsafe::Refuse;
    match store.check_safety().await {
        Ok(()) => {}
        // The health check of the dependency reports the outage.
        Err(error) if error.is_transient() => {}
        Err(error) if refuses => return Err(error.into()),
        Err(error) => tracing::warn!("{error}"),
    }
    let dependency = Arc::new(RedisDependency::new(Arc::clone(&store), refuses));
    Ok(StoreOfQueue { store, system: "redis", dependency: Some(dependency) })
}
