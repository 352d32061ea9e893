//! Telemetry about telemetry.

use std::sync::Arc;

use crate::counter::Counter;
use crate::export::ExportQueue;
use crate::log::{Events, Lines};
use crate::metrics::Meters;
use crate::metrics::catalog::telemetry::{DROPPED, EXPORTED, LOG_EVENTS, PANICS, SPANS_SAMPLED};
use crate::traces::RequestSpans;

/// The sources of telemetry's own metrics.
pub(crate) struct SelfMetrics {
    pub(crate) spans: Arc<ExportQueue>,
    pub(crate) logs: Arc<ExportQueue>,
    pub(crate) metrics: Arc<ExportQueue>,
    pub(crate) lines: Lines,
    pub(crate) events: Arc<Events>,
    pub(crate) panics: Arc<Counter>,
    pub(crate) followed: RequestSpans,
}

impl SelfMetrics {
    /// Registers the metrics.
    pub(crate) fn watch(self, meters: &Meters) {
        let Self { spans, logs, metrics, lines, events, panics, followed } = self;
        let signals = [("spans", spans), ("logs", logs), ("metrics", metrics)];
        let of = signals.clone();
        meters.watch(&DROPPED, move |reported| {
            for (signal, outbox) in &of {
                reported.is(&[signal, "queue_full"], outbox.full() as f64);
                reported.is(&[signal, "export_failed"], outbox.failed() as f64);
            }
            reported.is(&["lines", "queue_full"], lines.dropped() as f64);
        });
        meters.watch(&EXPORTED, move |reported| {
            for (signal, outbox) in &signals {
                reported.is(&[signal], outbox.exported() as f64);
            }
        });
        meters.watch(&LOG_EVENTS, move |reported| {
            reported.is(&["error"], events.errors() as f64);
            reported.is(&["warn"], events.warnings() as f64);
        });
        meters.watch(&PANICS, move |reported| reported.is(&[], panics.get() as f64));
        meters.watch(&SPANS_SAMPLED, move |reported| reported.is(&[], followed.sampled() as f64));
    }
}
