//! What the service asks, and the pools it asks through. The `db.client.connection.*` names are still in development in the semantic conventions and may change with them.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// The buckets that the semantic conventions advise for `db.client.operation.duration`, and a few between: a breaker's
/// threshold should fall on one.
const SECONDS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Questions of the ports to what answers them, as the circuit breaker sees them: waiting for a connection included. `error.type` is the kind of failure, and absent where there was none.
pub static OPERATION: Metric = Metric {
    name: "db.client.operation.duration",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    about: "Questions of the ports to what answers them, as the circuit breaker sees them: waiting for a connection included. `error.type` is the kind of failure, and absent where there was none.",
    labels: &["db.system.name", "db.operation.name", "error.type"],
};

/// 1 when the dependency did what people need of it in the last checks, else 0: the queue's Redis
/// took a write like a join's, and no circuit breaker in front of it refuses calls.
pub static UP: Metric = Metric {
    name: "boxoffice.dependency.up",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 when the dependency did what people need of it in the last checks, else 0: the queue's Redis took a write like a join's, and no circuit breaker in front of it refuses calls.",
    labels: &["dependency"],
};

/// Always 1: `problem` says why a dependency is down, in its own word such as `OOM` or by the kind
/// of failure; `none` while it is up.
pub static PROBLEM: Metric = Metric {
    name: "boxoffice.dependency.problem",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "Always 1: `problem` says why a dependency is down, in its own word such as `OOM` or by the kind of failure; `none` while it is up.",
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

/// Connections a pool may have.
pub static CONNECTIONS_MAX: Metric = Metric {
    name: "db.client.connection.max",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Connections a pool may have.",
    labels: &["db.client.connection.pool.name"],
};

/// Questions that wait for a connection now.
pub static PENDING: Metric = Metric {
    name: "db.client.connection.pending_requests",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Questions that wait for a connection now.",
    labels: &["db.client.connection.pool.name"],
};

/// How long questions waited for a connection, whether they got one or not.
pub static WAIT: Metric = Metric {
    name: "db.client.connection.wait_time",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    about: "How long questions waited for a connection, whether they got one or not.",
    labels: &["db.client.connection.pool.name"],
};

/// Questions that got no connection in time, or might not even wait for one.
pub static TIMEOUTS: Metric = Metric {
    name: "db.client.connection.timeouts",
    kind: Kind::Counter,
    unit: "{timeout}",
    about: "Questions that got no connection in time, or might not even wait for one.",
    labels: &["db.client.connection.pool.name"],
};

/// Joins that wait for a batch to the queue's Redis.
pub static JOINS_WAITING: Metric = Metric {
    name: "boxoffice.redis.joins.waiting",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Joins that wait for a batch to the queue's Redis.",
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

/// Memory a Redis may use; 0 where it has no limit.
pub static REDIS_MEMORY_MAX: Metric = Metric {
    name: "boxoffice.redis.memory.max",
    kind: Kind::Gauge,
    unit: "By",
    about: "Memory a Redis may use; 0 where it has no limit.",
    labels: &["role"],
};

/// Keys a Redis has given up for want of memory since it started. The queue's never may.
pub static REDIS_EVICTED: Metric = Metric {
    name: "boxoffice.redis.evicted",
    kind: Kind::Counter,
    unit: "{key}",
    about: "Keys a Redis has given up for want of memory since it started. The queue's never may.",
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
