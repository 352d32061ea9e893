//! The queue, as this node sees it.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// From a tenth of a second to half a day: a call may come at once or at the end of a long evening.
const WAITS: &[f64] = &[
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0, 43_200.0,
];

/// The highest queue number issued.
pub static LAST: Metric = Metric {
    name: "boxoffice.queue.last",
    kind: Kind::Gauge,
    unit: "{number}",
    about: "The highest queue number issued.",
    labels: &["queue"],
};

/// The highest queue number called.
pub static SERVING: Metric = Metric {
    name: "boxoffice.queue.serving",
    kind: Kind::Gauge,
    unit: "{number}",
    about: "The highest queue number called.",
    labels: &["queue"],
};

/// People who wait for their call.
pub static WAITING: Metric = Metric {
    name: "boxoffice.queue.waiting",
    kind: Kind::Gauge,
    unit: "{person}",
    about: "People who wait for their call.",
    labels: &["queue"],
};

/// People who are called and have not claimed yet.
pub static CALLED: Metric = Metric {
    name: "boxoffice.queue.called",
    kind: Kind::Gauge,
    unit: "{person}",
    about: "People who are called and have not claimed yet.",
    labels: &["queue"],
};

/// Active sessions.
pub static ACTIVE: Metric = Metric {
    name: "boxoffice.queue.active",
    kind: Kind::Gauge,
    unit: "{session}",
    about: "Active sessions.",
    labels: &["queue"],
};

/// Maximum number of sessions and open calls together.
pub static ACTIVE_LIMIT: Metric = Metric {
    name: "boxoffice.queue.active.limit",
    kind: Kind::Gauge,
    unit: "{session}",
    about: "Maximum number of sessions and open calls together.",
    labels: &["queue"],
};

/// Joins this node answered: `kind` is `new` for a new number, `again` for one already held.
pub static JOINED: Metric = Metric {
    name: "boxoffice.queue.joined",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins this node answered: `kind` is `new` for a new number, `again` for one already \
            held.",
    labels: &["queue", "kind"],
};

/// Requests about the queue that this node refused, by reason: the queue is full, no number is
/// reserved, the store failed, the number is not called yet, the place is gone, or the token is
/// invalid.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.queue.refused",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests about the queue that this node refused, by reason: the queue is full, no \
            number is reserved, the store failed, the number is not called yet, the place is gone, \
            or the token is invalid.",
    labels: &["queue", "reason"],
};

/// People called by the admission steps of this node.
pub static CALLS: Metric = Metric {
    name: "boxoffice.queue.calls",
    kind: Kind::Counter,
    unit: "{person}",
    about: "People called by the admission steps of this node.",
    labels: &["queue"],
};

/// Calls claimed as sessions, counted by the store: the same on every node, so take the highest,
/// not the sum.
pub static CLAIMED: Metric = Metric {
    name: "boxoffice.queue.claimed",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Calls claimed as sessions, counted by the store: the same on every node, so take the \
            highest, not the sum.",
    labels: &["queue"],
};

/// Calls not claimed in time, counted by the store: take the highest, not the sum.
pub static LAPSED: Metric = Metric {
    name: "boxoffice.queue.lapsed",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Calls not claimed in time, counted by the store: take the highest, not the sum.",
    labels: &["queue"],
};

/// Places, calls and sessions released by their holders, counted by the store: take the highest,
/// not the sum.
pub static LEFT: Metric = Metric {
    name: "boxoffice.queue.left",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Places, calls and sessions released by their holders, counted by the store: take the \
            highest, not the sum.",
    labels: &["queue"],
};

/// Sessions that ended at their time limit, counted by the store: take the highest, not the sum.
pub static ENDED: Metric = Metric {
    name: "boxoffice.queue.ended",
    kind: Kind::Counter,
    unit: "{session}",
    about: "Sessions that ended at their time limit, counted by the store: take the highest, not \
            the sum.",
    labels: &["queue"],
};

/// Time from joining to the call, of all people called while this node watched.
pub static WAIT: Metric = Metric {
    name: "boxoffice.queue.wait.duration",
    kind: Kind::Histogram(WAITS),
    unit: "s",
    about: "Time from joining to the call, of all people called while this node watched.",
    labels: &["queue"],
};

/// Difference between the waiting time estimated at joining and the actual one; `direction` is
/// `early` for a call before the estimate, `late` for one after.
pub static PROMISE_ERROR: Metric = Metric {
    name: "boxoffice.queue.promise.error",
    kind: Kind::Histogram(WAITS),
    unit: "s",
    about: "Difference between the waiting time estimated at joining and the actual one; \
            `direction` is `early` for a call before the estimate, `late` for one after.",
    labels: &["queue", "direction"],
};

/// Age of this node's view of the queue.
pub static VIEW_AGE: Metric = Metric {
    name: "boxoffice.queue.view.age",
    kind: Kind::Gauge,
    unit: "s",
    about: "Age of this node's view of the queue.",
    labels: &["queue"],
};

/// Maximum age of the view before answers are marked stale and admission stops.
pub static VIEW_LIMIT: Metric = Metric {
    name: "boxoffice.queue.view.limit",
    kind: Kind::Gauge,
    unit: "s",
    about: "Maximum age of the view before answers are marked stale and admission stops.",
    labels: &["queue"],
};

/// Time of this node's last completed admission step, in seconds since 1970; 0 before the first.
pub static STEP_TIME: Metric = Metric {
    name: "boxoffice.queue.step.time",
    kind: Kind::Gauge,
    unit: "s",
    about: "Time of this node's last completed admission step, in seconds since 1970; 0 before the \
            first.",
    labels: &["queue"],
};

/// 1 while the store recovers from data loss with its witnesses' reports and calls no one.
pub static RECOVERING: Metric = Metric {
    name: "boxoffice.queue.recovering",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 while the store recovers from data loss with its witnesses' reports and calls no \
            one.",
    labels: &["queue"],
};

pub(super) const FAMILY: Family = Family {
    title: "The queue",
    metrics: &[
        &LAST,
        &SERVING,
        &WAITING,
        &CALLED,
        &ACTIVE,
        &ACTIVE_LIMIT,
        &JOINED,
        &REFUSED,
        &CALLS,
        &CLAIMED,
        &LAPSED,
        &LEFT,
        &ENDED,
        &WAIT,
        &PROMISE_ERROR,
        &VIEW_AGE,
        &VIEW_LIMIT,
        &STEP_TIME,
        &RECOVERING,
    ],
};
