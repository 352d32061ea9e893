//! Dependencies, and the connection pools to them.

use std::sync::Arc;
use std::time::Duration;

use adapter_http::DependencyHealth;
use adapter_postgres::Postgres;
use adapter_redis::{RedisCacheStore, RedisMemory, RedisQueue};
use connection_pool::PoolState;
use decorators::instrumented::{self, CallOutcome, Observer};
use domain::{Dependency, PortErrorKind};
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::dependencies;

use super::Numbers;
use super::lazy_series::Keyed;

/// Records the calls of one port.
struct CallDurations {
    system: &'static str,
    durations: Keyed<(&'static str, Option<PortErrorKind>)>,
}

/// The observer of the calls of a port that `system` serves; `None` if metrics are off.
pub(crate) fn observer(meters: &Meters, system: &'static str) -> Option<Arc<dyn Observer>> {
    let durations = || Keyed::new(meters.histogram(&dependencies::OPERATION));
    meters
        .is_on()
        .then(|| Arc::new(CallDurations { system, durations: durations() }) as Arc<dyn Observer>)
}

impl Observer for CallDurations {
    fn system(&self) -> &'static str {
        self.system
    }

    fn observe(&self, outcome: &CallOutcome) {
        let key = (outcome.operation, outcome.failure);
        self.durations.record(key, outcome.took.as_secs_f64(), |(operation, failure)| {
            [self.system, operation, failure.map_or("", instrumented::word)].map(str::to_owned)
        });
    }
}

/// Registers whether each dependency is up, and its problem.
pub(crate) fn watch_dependency(
    meters: &Meters,
    watched: Vec<Dependency>,
    dependency_health: &DependencyHealth,
) {
    let (known, shown) = (watched.clone(), dependency_health.clone());
    meters.watch(&dependencies::UP, move |reported| {
        for &dependency in &known {
            reported.is(&[dependency.as_str()], (!shown.is_down(dependency)).into());
        }
    });
    let dependency_health = dependency_health.clone();
    meters.watch(&dependencies::PROBLEM, move |reported| {
        for &dependency in &watched {
            let problem = dependency_health.problem_of(dependency).unwrap_or("none");
            reported.is(&[dependency.as_str(), problem], 1.0);
        }
    });
}

/// Registers the load of the queue's Redis, and its memory.
pub(crate) fn watch_queue_redis(meters: &Meters, store: &Arc<RedisQueue>) {
    let queue = Arc::clone(store);
    meters.watch(&dependencies::JOINS_WAITING, move |reported| {
        reported.is(&[], queue.load().joins_waiting as f64);
    });
    let queue = Arc::clone(store);
    meters.watch(&dependencies::BATCHES, move |reported| {
        reported.is(&[], queue.load().batches as f64);
    });
    let queue = Arc::clone(store);
    watch_memory(meters, "queue", move || queue.memory());
}

const OF_THE_MEMORY: Numbers<RedisMemory> = &[
    (&dependencies::REDIS_MEMORY, |memory| memory.used as f64),
    (&dependencies::REDIS_MEMORY_MAX, |memory| memory.max as f64),
    (&dependencies::REDIS_EVICTED, |memory| memory.evicted as f64),
];

fn watch_memory(
    meters: &Meters,
    role: &'static str,
    memory: impl Fn() -> Option<RedisMemory> + Clone + Send + Sync + 'static,
) {
    for (metric, number) in OF_THE_MEMORY {
        let memory = memory.clone();
        meters.watch(metric, move |reported| {
            if let Some(memory) = memory() {
                reported.is(&[role], number(&memory));
            }
        });
    }
}

const OF_A_POOL: Numbers<PoolState> = &[
    (&dependencies::CONNECTIONS_MAX, |pool| pool.size.into()),
    (&dependencies::PENDING, |pool| pool.waiting.into()),
    (&dependencies::TIMEOUTS, |pool| pool.timeouts as f64),
];

type Listener = Arc<dyn Fn(Duration) + Send + Sync>;

/// Registers the metrics of the database's pool.
pub(crate) fn watch_postgres_pool(meters: &Meters, postgres: &Postgres) {
    let pool = postgres.clone();
    postgres.on_wait(watch_pool(meters, Dependency::POSTGRES.as_str(), move || pool.state()));
}

/// Registers the metrics of the cache's pool, and of its Redis's memory.
pub(crate) fn watch_cache_redis(meters: &Meters, store: &RedisCacheStore) {
    let redis = store.clone();
    watch_memory(meters, "cache", move || redis.memory());
    let pool = store.clone();
    store.on_wait(watch_pool(meters, Dependency::CACHE_REDIS.as_str(), move || pool.state()));
}

fn watch_pool(
    meters: &Meters,
    name: &'static str,
    state: impl Fn() -> PoolState + Clone + Send + Sync + 'static,
) -> Listener {
    for (metric, number) in OF_A_POOL {
        let state = state.clone();
        meters.watch(metric, move |reported| reported.is(&[name], number(&state())));
    }
    meters.watch(&dependencies::CONNECTIONS, move |reported| {
        let pool = state();
        reported.is(&[name, "idle"], pool.idle.into());
        reported.is(&[name, "used"], pool.connections.saturating_sub(pool.idle).into());
    });
    let waits = meters.histogram(&dependencies::WAIT).series(&[name]);
    Arc::new(move |waited: Duration| waits.record(waited.as_secs_f64()))
}
