//! The program's version and phase, and the state of its telemetry.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Always 1: the version, and the hash of the effective configuration, with its secrets masked and
/// without the settings that may differ between nodes.
pub static BUILD_INFO: Metric = Metric {
    name: "boxoffice.build.info",
    kind: Kind::Gauge,
    unit: "{build}",
    about: "Always 1: the version, and the hash of the effective configuration, with its secrets \
            masked and without the settings that may differ between nodes.",
    labels: &["version", "config_hash"],
};

/// 1 for the current phase of the process (`starting`, `serving`, `draining`), 0 for every other.
pub static PHASE: Metric = Metric {
    name: "boxoffice.phase",
    kind: Kind::Gauge,
    unit: "{state}",
    about: "1 for the current phase of the process (`starting`, `serving`, `draining`), 0 for \
            every other.",
    labels: &["phase"],
};

/// Log events by level; `error` and `warn` only.
pub static LOG_EVENTS: Metric = Metric {
    name: "boxoffice.log.events",
    kind: Kind::Counter,
    unit: "{event}",
    about: "Log events by level; `error` and `warn` only.",
    labels: &["level"],
};

/// Panics of tasks and threads.
pub static PANICS: Metric = Metric {
    name: "boxoffice.panics",
    kind: Kind::Counter,
    unit: "{panic}",
    about: "Panics of tasks and threads.",
    labels: &[],
};

/// Telemetry dropped instead of delaying requests: `signal` is `spans`, `logs` (over OTLP),
/// `metrics` (whole exports) or `lines` (of standard error); `reason` is `queue_full` or
/// `export_failed`.
pub static DROPPED: Metric = Metric {
    name: "boxoffice.telemetry.dropped",
    kind: Kind::Counter,
    unit: "{item}",
    about: "Telemetry dropped instead of delaying requests: `signal` is `spans`, `logs` (over \
            OTLP), `metrics` (whole exports) or `lines` (of standard error); `reason` is \
            `queue_full` or `export_failed`.",
    labels: &["signal", "reason"],
};

/// Telemetry accepted by a collector, by `signal`.
pub static EXPORTED: Metric = Metric {
    name: "boxoffice.telemetry.exported",
    kind: Kind::Counter,
    unit: "{item}",
    about: "Telemetry accepted by a collector, by `signal`.",
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
