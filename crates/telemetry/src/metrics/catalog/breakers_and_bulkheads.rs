//! Circuit breakers, bulkheads and retries.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// 1 for the current state of a circuit breaker, 0 for every other.
pub static BREAKER_STATE: Metric = Metric {
    name: "boxoffice.circuit_breaker.state",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 for the current state of a circuit breaker, 0 for every other.",
    labels: &["breaker", "state"],
};

/// Calls by outcome: `kind` is `successful`, `failed`, `ignored` or `not_permitted`.
pub static BREAKER_CALLS: Metric = Metric {
    name: "boxoffice.circuit_breaker.calls",
    kind: Kind::Counter,
    unit: "{call}",
    about: "Calls by outcome: `kind` is `successful`, `failed`, `ignored` or `not_permitted`.",
    labels: &["breaker", "kind"],
};

/// Calls slower than the breaker's threshold, whatever their outcome.
pub static BREAKER_SLOW: Metric = Metric {
    name: "boxoffice.circuit_breaker.slow_calls",
    kind: Kind::Counter,
    unit: "{call}",
    about: "Calls slower than the breaker's threshold, whatever their outcome.",
    labels: &["breaker"],
};

/// Share of failed calls in the breaker's window; absent while there are too few.
pub static BREAKER_FAILURE_RATE: Metric = Metric {
    name: "boxoffice.circuit_breaker.failure_rate",
    kind: Kind::Gauge,
    unit: "1",
    about: "Share of failed calls in the breaker's window; absent while there are too few.",
    labels: &["breaker"],
};

/// Share of slow calls in the breaker's window; absent while there are too few.
pub static BREAKER_SLOW_RATE: Metric = Metric {
    name: "boxoffice.circuit_breaker.slow_call_rate",
    kind: Kind::Gauge,
    unit: "1",
    about: "Share of slow calls in the breaker's window; absent while there are too few.",
    labels: &["breaker"],
};

/// Calls refused at a bulkhead, on arrival or after waiting.
pub static BULKHEAD_REFUSED: Metric = Metric {
    name: "boxoffice.bulkhead.refused",
    kind: Kind::Counter,
    unit: "{call}",
    about: "Calls refused at a bulkhead, on arrival or after waiting.",
    labels: &["bulkhead"],
};

/// Retried calls to the catalog.
pub static RETRIED: Metric = Metric {
    name: "boxoffice.retry.retried",
    kind: Kind::Counter,
    unit: "{call}",
    about: "Retried calls to the catalog.",
    labels: &[],
};

pub(super) const FAMILY: Family = Family {
    title: "Protection of the dependencies",
    metrics: &[
        &BREAKER_STATE,
        &BREAKER_CALLS,
        &BREAKER_SLOW,
        &BREAKER_FAILURE_RATE,
        &BREAKER_SLOW_RATE,
        &BULKHEAD_REFUSED,
        &RETRIED,
    ],
};
