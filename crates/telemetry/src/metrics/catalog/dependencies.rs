//! Calls to dependencies, and their connection pools. The `db.client.connection.*` names are still
//! in development in the semantic conventions and may change with them.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// The buckets that the semantic conventions recommend for `db.client.operation.duration`, and a
/// few between: a breaker's threshold should match one.
const SECONDS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Port calls to their dependencies, as the circuit breaker sees them, including the wait for a
/// connection. `error.type` is the kind of failure, and absent if there was none.
pub static OPERATION: Metric = Metric {
    name: "db.client.operation.duration",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    about: "Port calls to their dependencies, as the circuit breaker sees them, including the wait \
            for a connection. `error.type` is the kind of failure, and absent if there was none.",
    labels: &["db.system.name", "db.operation.name", "error.type"],
};

/// 1 if the last checks of the dependency succeeded, else 0. For the queue's Redis: a write like a
/// join's succeeded, and no circuit breaker in front of it refuses calls.
pub static UP: Metric = Metric {
    name: "boxoffice.dependency.up",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 if the last checks of the dependency succeeded, else 0. For the queue's Redis: a \
            write like a join's succeeded, and no circuit breaker in front of it refuses calls.",
    labels: &["dependency"],
};

/// Always 1: `problem` is the reason why a dependency is down, either its own error word such as
/// `OOM` or the kind of failure; `none` while it is up.
pub static PROBLEM: Metric = Metric {
    name: "boxoffice.dependency.problem",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "Always 1: `problem` is the reason why a dependency is down, either its own error word \
            such as `OOM` or the kind of failure; `none` while it is up.",
    labels: &["dependency", "problem"],
};

/// Connections of a pool; state `used` or `idle`.
pub static CONNECTIONS: Metric = Metric {
    name: "db.client.connection.count",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Connections of a pool; state `used` or `idle`.",
    labels: &["db.client.connection.pool.name", "db.client.connection.state"],
};

/// Maximum number of connections of a pool.
pub static CONNECTIONS_MAX: Metric = Metric {
    name: "db.client.connection.max",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Maximum number of connections of a pool.",
    labels: &["db.client.connection.pool.name"],
};

/// Calls waiting for a connection now.
pub static PENDING: Metric = Metric {
    name: "db.client.connection.pending_requests",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Calls waiting for a connection now.",
    labels: &["db.client.connection.pool.name"],
};

/// How long calls waited for a connection, whether they got one or not.
pub static WAIT: Metric = Metric {
    name: "db.client.connection.wait_time",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    about: "How long calls waited for a connection, whether they got one or not.",
    labels: &["db.client.connection.pool.name"],
};

/// Calls that got no connection in time, or were refused without waiting.
pub static TIMEOUTS: Metric = Metric {
    name: "db.client.connection.timeouts",
    kind: Kind::Counter,
    unit: "{timeout}",
    about: "Calls that got no connection in time, or were refused without waiting.",
    labels: &["db.client.connection.pool.name"],
};

/// Joins waiting for a batch to the queue's Redis.
pub static JOINS_WAITING: Metric = Metric {
    name: "boxoffice.redis.joins.waiting",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Joins waiting for a batch to the queue's Redis.",
    labels: &[],
};

/// Batches of joins sent to the queue's Redis.
pub static BATCHES: Metric = Metric {
    name: "boxoffice.redis.batches",
    kind: Kind::Counter,
    unit: "{batch}",
    about: "Batches of joins sent to the queue's Redis.",
    labels: &[],
};

/// Memory a Redis uses; `role` is `queue` or `cache`.
pub static REDIS_MEMORY: Metric = Metric {
    name: "boxoffice.redis.memory.used",
    kind: Kind::Gauge,
    unit: "By",
    about: "Memory a Redis uses; `role` is `queue` or `cache`.",
    labels: &["role"],
};

/// Memory limit of a Redis; 0 if it has none.
pub static REDIS_MEMORY_MAX: Metric = Metric {
    name: "boxoffice.redis.memory.max",
    kind: Kind::Gauge,
    unit: "By",
    about: "Memory limit of a Redis; 0 if it has none.",
    labels: &["role"],
};

/// Keys a Redis evicted for lack of memory since it started. The queue's Redis must never evict.
pub static REDIS_EVICTED: Metric = Metric {
    name: "boxoffice.redis.evicted",
    kind: Kind::Counter,
    unit: "{key}",
    about: "Keys a Redis evicted for lack of memory since it started. The queue's Redis must never \
            evict.",
    labels: &["role"],
};

pub(super) const FAMILY: Family = Family {
    title: "Dependencies",
    metrics: &[
        &OPERATION,
        &UP,
        &PROBLEM,
        &CONNECTIONS,
        &CONNECTIONS_MAX,
        &PENDING,
        &WAIT,
        &TIMEOUTS,
        &JOINS_WAITING,
        &BATCHES,
        &REDIS_MEMORY,
        &REDIS_MEMORY_MAX,
        &REDIS_EVICTED,
    ],
};
