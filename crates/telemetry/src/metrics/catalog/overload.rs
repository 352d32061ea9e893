//! Load shedding and rate limits.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Requests let through a limiter without waiting.
pub static PASSED: Metric = Metric {
    name: "boxoffice.overload.passed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests let through a gate without waiting.",
    labels: &["gate"],
};

/// Requests let through a limiter after a wait.
pub static WAITED: Metric = Metric {
    name: "boxoffice.overload.waited",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests let through a gate after a wait.",
    labels: &["gate"],
};

/// Requests refused at a limiter, on arrival or after waiting.
pub static SHED: Metric = Metric {
    name: "boxoffice.overload.shed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests refused at a gate, on arrival or after waiting.",
    labels: &["gate"],
};

/// Requests in flight behind a limiter now.
pub static IN_FLIGHT: Metric = Metric {
    name: "boxoffice.overload.at_work",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Requests in flight behind a gate now.",
    labels: &["gate"],
};

/// Requests waiting at a limiter now.
pub static WAITING: Metric = Metric {
    name: "boxoffice.overload.waiting",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Requests waiting at a gate now.",
    labels: &["gate"],
};

/// Requests over a client's rate limit; `limit` is `user`, `address`, `joining_address` or
/// `polling`.
pub static RATE_LIMITED: Metric = Metric {
    name: "boxoffice.overload.rate_limited",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests over a client's rate limit; `limit` is `user`, `address`, `joining_address` \
            or `polling`.",
    labels: &["limit"],
};

pub(super) const FAMILY: Family = Family {
    title: "Overload",
    metrics: &[&PASSED, &WAITED, &SHED, &IN_FLIGHT, &WAITING, &RATE_LIMITED],
};
