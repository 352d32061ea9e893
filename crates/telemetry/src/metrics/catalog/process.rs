//! The process and its machine. Linux only.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Processor time used; `cpu.mode` is `user` or `system`.
pub static CPU: Metric = Metric {
    name: "process.cpu.time",
    kind: Kind::Counter,
    unit: "s",
    about: "Processor time used; `cpu.mode` is `user` or `system`.",
    labels: &["cpu.mode"],
};

/// Resident memory.
pub static MEMORY: Metric = Metric {
    name: "process.memory.usage",
    kind: Kind::Gauge,
    unit: "By",
    about: "Resident memory.",
    labels: &[],
};

/// Virtual memory.
pub static MEMORY_VIRTUAL: Metric = Metric {
    name: "process.memory.virtual",
    kind: Kind::Gauge,
    unit: "By",
    about: "Virtual memory.",
    labels: &[],
};

/// Open file descriptors, including connections.
pub static FILES: Metric = Metric {
    name: "process.unix.file_descriptor.count",
    kind: Kind::Gauge,
    unit: "{file_descriptor}",
    about: "Open file descriptors, including connections.",
    labels: &[],
};

/// Maximum number of open file descriptors.
pub static FILES_MAX: Metric = Metric {
    name: "boxoffice.process.file_descriptor.limit",
    kind: Kind::Gauge,
    unit: "{file_descriptor}",
    about: "Maximum number of open file descriptors.",
    labels: &[],
};

/// Threads.
pub static THREADS: Metric = Metric {
    name: "process.thread.count",
    kind: Kind::Gauge,
    unit: "{thread}",
    about: "Threads.",
    labels: &[],
};

/// Bytes over all network interfaces of the process's network namespace except loopback;
/// `network.io.direction` is `receive` or `transmit`.
pub static NETWORK: Metric = Metric {
    name: "system.network.io",
    kind: Kind::Counter,
    unit: "By",
    about: "Bytes over all network interfaces of the process's network namespace except loopback; \
            `network.io.direction` is `receive` or `transmit`.",
    labels: &["network.io.direction"],
};

/// Runnable threads on the whole machine, averaged over a minute.
pub static LOAD: Metric = Metric {
    name: "boxoffice.system.load",
    kind: Kind::Gauge,
    unit: "{thread}",
    about: "Runnable threads on the whole machine, averaged over a minute.",
    labels: &[],
};

/// Processors this process may run on.
pub static CPUS: Metric = Metric {
    name: "boxoffice.process.cpu.count",
    kind: Kind::Gauge,
    unit: "{cpu}",
    about: "Processors this process may run on.",
    labels: &[],
};

/// When the process started, in seconds since 1970.
pub static START_TIME: Metric = Metric {
    name: "boxoffice.process.start.time",
    kind: Kind::Gauge,
    unit: "s",
    about: "When the process started, in seconds since 1970.",
    labels: &[],
};

pub(super) const FAMILY: Family = Family {
    title: "The process",
    metrics: &[
        &CPU,
        &MEMORY,
        &MEMORY_VIRTUAL,
        &FILES,
        &FILES_MAX,
        &THREADS,
        &NETWORK,
        &LOAD,
        &CPUS,
        &START_TIME,
    ],
};
