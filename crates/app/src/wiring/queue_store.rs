//! [`QueueStore`], chosen by `queue.store`.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::MemoryQueue;
use adapter_redis::{Batching, RedisDependency, RedisQueue, RedisQueueSettings};
use domain::Clock;
use domain::queue::{AdmissionPolicy, QueueStore};
use telemetry::metrics::Meters;

use crate::adapter_set::Adapter;
use crate::config::{Config, QueueStoreKind, WhenUnsafe};
use crate::metrics;
use crate::start_error::StartError;

/// The given store, or the configured one. `needs_checkpoint` is whether numbers are reserved in a
/// checkpoint store.
pub(crate) async fn queue_store(
    config: &Config,
    given: Option<Adapter<dyn QueueStore>>,
    needs_checkpoint: bool,
    clock: Arc<dyn Clock>,
    meters: &Meters,
) -> Result<Adapter<dyn QueueStore>, StartError> {
    if let Some(given) = given {
        return Ok(given);
    }
    let policy = config.queue.policy.policy()?;
    match config.queue.store {
        QueueStoreKind::Memory => {
            let store: Arc<dyn QueueStore> = Arc::new(MemoryQueue::new(policy, clock));
            Ok(Adapter::new(store).of_system("memory"))
        }
        QueueStoreKind::Redis => in_redis(config, policy, needs_checkpoint, meters).await,
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
    needs_checkpoint: bool,
    meters: &Meters,
) -> Result<Adapter<dyn QueueStore>, StartError> {
    if !needs_checkpoint {
        tracing::warn!(
            "no checkpoint is kept (queue.checkpoint.store): if Redis and all nodes are lost at once, numbers \
             begin at 1 again"
        );
    }
    let (queue, redis) = (&config.queue, &config.redis.queue);
    let settings = RedisQueueSettings {
        queue: queue.queue_id()?,
        policy,
        durability: queue.durability.into(),
        batching: Batching {
            max_waiting: queue.max_waiting_joins as usize,
            max_wait: queue.max_join_wait.0,
            ..Batching::default()
        },
        lifetime: queue.token_ttl.0,
        remember: queue.stale_after.0.min(GIVEN_BACK_WITHIN),
        recovery: recovery(config),
        needs_checkpoint,
        connection: redis.connection(),
    };
    let store = Arc::new(RedisQueue::open(redis.address()?, settings));
    metrics::watch_queue_redis(meters, &store);
    let refuses = redis.when_unsafe == WhenUnsafe::Refuse;
    let health = RedisDependency::new(Arc::clone(&store), refuses);
    let health = match store.check_safety().await {
        Ok(()) => health.already_checked(),
        // The health check reports the outage, and checks the configuration after it.
        Err(error) if error.is_transient() => health,
        Err(error) if refuses => return Err(error.into()),
        Err(error) => {
            tracing::warn!("{error}");
            health.already_checked()
        }
    };
    let store: Arc<dyn QueueStore> = store;
    Ok(Adapter::new(store).of_system("redis").with_health_check(Arc::new(health)))
}
