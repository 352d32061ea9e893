//! The line itself, as this node sees it.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// From a tenth of a second to half a day: a call may come at once or at the end of a long evening.
const WAITS: &[f64] = &[
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0, 43_200.0,
];

/// The highest queue number given.
pub static LAST: Metric = Metric {
    name: "boxoffice.queue.last",
    kind: Kind::Gauge,
    unit: "{number}",
    about: "The highest queue number given.",
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

/// People whose call stands and is not claimed yet.
pub static CALLED: Metric = Metric {
    name: "boxoffice.queue.called",
    kind: Kind::Gauge,
    unit: "{person}",
    about: "People whose call stands and is not claimed yet.",
    labels: &["queue"],
};

/// Sessions that run.
pub static ACTIVE: Metric = Metric {
    name: "boxoffice.queue.active",
    kind: Kind::Gauge,
    unit: "{session}",
    about: "Sessions that run.",
    labels: &["queue"],
};

/// Sessions and open calls together, at most.
pub static ACTIVE_LIMIT: Metric = Metric {
    name: "boxoffice.queue.active.limit",
    kind: Kind::Gauge,
    unit: "{session}",
    about: "Sessions and open calls together, at most.",
    labels: &["queue"],
};

/// Joins this node answered: `kind` is `new` for a number given, `again` for one that was held already.
pub static JOINED: Metric = Metric {
    name: "boxoffice.queue.joined",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins this node answered: `kind` is `new` for a number given, `again` for one that was held already.",
    labels: &["queue", "kind"],
};

/// What this node refused around the line, by reason: the line full, no number reserved, the store, a turn not come, a place gone, or what is wrong with a token.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.queue.refused",
    kind: Kind::Counter,
    unit: "{request}",
    about: "What this node refused around the line, by reason: the line full, no number reserved, the store, a turn not come, a place gone, or what is wrong with a token.",
    labels: &["queue", "reason"],
};

/// People called by the steps of this node.
pub static CALLS: Metric = Metric {
    name: "boxoffice.queue.calls",
    kind: Kind::Counter,
    unit: "{person}",
    about: "People called by the steps of this node.",
    labels: &["queue"],
};

/// Calls turned into sessions, counted by the store: the same on every node, so take the highest, not the sum.
pub static CLAIMED: Metric = Metric {
    name: "boxoffice.queue.claimed",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Calls turned into sessions, counted by the store: the same on every node, so take the highest, not the sum.",
    labels: &["queue"],
};

/// Calls that nobody claimed in time, counted by the store: take the highest, not the sum.
pub static LAPSED: Metric = Metric {
    name: "boxoffice.queue.lapsed",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Calls that nobody claimed in time, counted by the store: take the highest, not the sum.",
    labels: &["queue"],
};

/// Places, calls and sessions given back, counted by the store: take the highest, not the sum.
pub static LEFT: Metric = Metric {
    name: "boxoffice.queue.left",
    kind: Kind::Counter,
    unit: "{person}",
    about: "Places, calls and sessions given back, counted by the store: take the highest, not the sum.",
    labels: &["queue"],
};

/// Sessions that lasted to their end, counted by the store: take the highest, not the sum.
pub static ENDED: Metric = Metric {
    name: "boxoffice.queue.ended",
    kind: Kind::Counter,
    unit: "{session}",
    about: "Sessions that lasted to their end, counted by the store: take the highest, not the sum.",
    labels: &["queue"],
};

/// From joining to the call, of everybody called while this node watched.
pub static WAIT: Metric = Metric {
    name: "boxoffice.queue.wait.duration",
    kind: Kind::Histogram(WAITS),
    unit: "s",
    about: "From joining to the call, of everybody called while this node watched.",
    labels: &["queue"],
};

/// By how much the waiting time told at joining differed from the real one; `direction` is `early` for a call before it, `late` for one after.
pub static PROMISE_ERROR: Metric = Metric {
    name: "boxoffice.queue.promise.error",
    kind: Kind::Histogram(WAITS),
    unit: "s",
    about: "By how much the waiting time told at joining differed from the real one; `direction` is `early` for a call before it, `late` for one after.",
    labels: &["queue", "direction"],
};

/// How old this node's view of the line is.
pub static VIEW_AGE: Metric = Metric {
    name: "boxoffice.queue.view.age",
    kind: Kind::Gauge,
    unit: "s",
    about: "How old this node's view of the line is.",
    labels: &["queue"],
};

/// How old it may be before answers say so and nobody is let in.
pub static VIEW_LIMIT: Metric = Metric {
    name: "boxoffice.queue.view.limit",
    kind: Kind::Gauge,
    unit: "s",
    about: "How old it may be before answers say so and nobody is let in.",
    labels: &["queue"],
};

/// When this node's last admission step was carried out, in seconds since 1970; 0 before the first.
pub static STEP_TIME: Metric = Metric {
    name: "boxoffice.queue.step.time",
    kind: Kind::Gauge,
    unit: "s",
    about: "When this node's last admission step was carried out, in seconds since 1970; 0 before the first.",
    labels: &["queue"],
};

/// 1 while the store has lost something and hears its witnesses, calling nobody.
pub static RECOVERING: Metric = Metric {
    name: "boxoffice.queue.recovering",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 while the store has lost something and hears its witnesses, calling nobody.",
    labels: &["queue"],
};

pub(super) const FAMILY: Family = Family {
    title: "The line",
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
