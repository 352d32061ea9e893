//! The caches of finished answers.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Requests by layer and result: in this process (`local`) `hit`, `stale` while a refresh ran,
/// `old` because a refresh failed, or `miss`; of the misses, a fresh copy in the `shared` level is
/// a `hit` there.
pub static REQUESTS: Metric = Metric {
    name: "boxoffice.cache.requests",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests by layer and result: in this process (`local`) `hit`, `stale` while a refresh \
            ran, `old` because a refresh failed, or `miss`; of the misses, a fresh copy in the \
            `shared` level is a `hit` there.",
    labels: &["cache", "layer", "result"],
};

/// Of all answers: absences.
pub static ABSENT: Metric = Metric {
    name: "boxoffice.cache.negative",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Of all answers: absences.",
    labels: &["cache"],
};

/// Of the misses: answered with a stale copy after waiting.
pub static FELL_BACK: Metric = Metric {
    name: "boxoffice.cache.fallbacks",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Of the misses: answered with a stale copy after waiting.",
    labels: &["cache"],
};

/// Waits for a load in flight: `for` is `flight` in this process, `lease` on another node.
pub static WAITS: Metric = Metric {
    name: "boxoffice.cache.waits",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Waits for a load in flight: `for` is `flight` in this process, `lease` on another \
            node.",
    labels: &["cache", "for"],
};

/// Loads from the source; `result` is `loaded` or `failed`.
pub static LOADS: Metric = Metric {
    name: "boxoffice.cache.loads",
    kind: Kind::Counter,
    unit: "{load}",
    about: "Loads from the source; `result` is `loaded` or `failed`.",
    labels: &["cache", "result"],
};

/// Failed calls to the shared level.
pub static SHARED_ERRORS: Metric = Metric {
    name: "boxoffice.cache.shared.errors",
    kind: Kind::Counter,
    unit: "{call}",
    about: "Failed calls to the shared level.",
    labels: &["cache"],
};

/// Unusable copies in the shared level: `reason` is `version`, `size`, `corrupt` or `foreign`.
pub static UNUSABLE: Metric = Metric {
    name: "boxoffice.cache.unusable",
    kind: Kind::Counter,
    unit: "{copy}",
    about: "Unusable copies in the shared level: `reason` is `version`, `size`, `corrupt` or \
            `foreign`.",
    labels: &["cache", "reason"],
};

/// Copies not kept because a newer one was there.
pub static OUTRUN: Metric = Metric {
    name: "boxoffice.cache.outrun",
    kind: Kind::Counter,
    unit: "{copy}",
    about: "Copies not kept because a newer one was there.",
    labels: &["cache"],
};

/// Bytes held in this process.
pub static SIZE: Metric = Metric {
    name: "boxoffice.cache.size",
    kind: Kind::Gauge,
    unit: "By",
    about: "Bytes held in this process.",
    labels: &["cache"],
};

pub(super) const FAMILY: Family = Family {
    title: "Caches",
    metrics: &[
        &REQUESTS,
        &ABSENT,
        &FELL_BACK,
        &WAITS,
        &LOADS,
        &SHARED_ERRORS,
        &UNUSABLE,
        &OUTRUN,
        &SIZE,
    ],
};
