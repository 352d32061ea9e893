//! Which program this is, and what became of its telemetry.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// Always 1: the version, and the hash of the effective configuration, with its secrets masked and
/// without what may differ from node to node.
pub static BUILD_INFO: Metric = Metric {
    name: "boxoffice.build.info",
    kind: Kind::Gauge,
    unit: "{build}",
    about: "Always 1: the version, and the hash of the effective configuration, with its secrets masked and without what may differ from node to node.",
    labels: &["version", "config_hash"],
};

/// 1 for the phase of life the program is in (`starting`, `serving`, `draining`), 0 for every other.
pub static PHASE: Metric = Metric {
    name: "boxoffice.phase",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 for the phase of life the program is in (`starting`, `serving`, `draining`), 0 for every other.",
    labels: &["phase"],
};

/// What was logged, by level; `error` and `warn` only.
pub static LOG_EVENTS: Metric = Metric {
    name: "boxoffice.log.events",
    kind: Kind::Counter,
    unit: "{event}",
    about: "What was logged, by level; `error` and `warn` only.",
    labels: &["level"],
};

/// Tasks and threads that ended by a mistake of ours.
pub static PANICS: Metric = Metric {
    name: "boxoffice.panics",
    kind: Kind::Counter,
    unit: "{panic}",
    about: "Tasks and threads that ended by a mistake of ours.",
    labels: &[],
};

/// Telemetry that was given up rather than waited for: `signal` is `spans`, `logs` (over OTLP), `metrics` (whole exports) or `lines` (of standard error); `reason` is `queue_full` or `export_failed`.
pub static DROPPED: Metric = Metric {
    name: "boxoffice.telemetry.dropped",
    kind: Kind::Counter,
    unit: "{item}",
    about: "Telemetry that was given up rather than waited for: `signal` is `spans`, `logs` (over OTLP), `metrics` (whole exports) or `lines` (of standard error); `reason` is `queue_full` or `export_failed`.",
    labels: &["signal", "reason"],
};

/// Telemetry that a collector took in, by `signal`.
pub static EXPORTED: Metric = Metric {
    name: "boxoffice.telemetry.exported",
    kind: Kind::Counter,
    unit: "{item}",
    about: "Telemetry that a collector took in, by `signal`.",
    labels: &["signal"],
};

/// Requests whose trace was kept.
pub static SPANS_SAMPLED: Metric = Metric {
    name: "boxoffice.traces.sampled",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Requests whose trace was kept.",
    labels: &[],
};

pub(super) const FAMILY: Family = Family {
    title: "The program and its telemetry",
    metrics: &[&BUILD_INFO, &PHASE, &LOG_EVENTS, &PANICS, &DROPPED, &EXPORTED, &SPANS_SAMPLED],
};
