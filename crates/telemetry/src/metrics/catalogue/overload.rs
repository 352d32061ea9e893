//! What is refused so that the rest is served.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// Requests let through a gate.
pub static PASSED: Metric = Metric {
    name: "boxoffice.overload.passed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests let through a gate at once.",
    labels: &["gate"],
};

/// Requests let through a gate after a wait.
pub static WAITED: Metric = Metric {
    name: "boxoffice.overload.waited",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests let through a gate after a wait.",
    labels: &["gate"],
};

/// Requests refused at a gate because as many as may are at work and wait.
pub static SHED: Metric = Metric {
    name: "boxoffice.overload.shed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests refused at a gate because as many as may are at work and wait.",
    labels: &["gate"],
};

/// Requests behind a gate now.
pub static AT_WORK: Metric = Metric {
    name: "boxoffice.overload.at_work",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Requests behind a gate now.",
    labels: &["gate"],
};

/// Requests that wait at a gate now.
pub static WAITING: Metric = Metric {
    name: "boxoffice.overload.waiting",
    kind: Kind::Gauge,
    unit: "{request}",
    about: "Requests that wait at a gate now.",
    labels: &["gate"],
};

/// Requests of somebody who asked for more than their share; `limit` is `user`, `address`,
/// `joining_address` or `polling`.
pub static RATE_LIMITED: Metric = Metric {
    name: "boxoffice.overload.rate_limited",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests of somebody who asked for more than their share; `limit` is `user`, `address`, `joining_address` or `polling`.",
    labels: &["limit"],
};

pub(super) const FAMILY: Family = Family {
    title: "Overload",
    metrics: &[&PASSED, &WAITED, &SHED, &AT_WORK, &WAITING, &RATE_LIMITED],
};
