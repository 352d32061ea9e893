//! Telemetry about telemetry.

use std::sync::Arc;

use crate::counter::Counter;
use crate::export::Outbox;
use crate::log::{Events, Lines};
use crate::metrics::Meters;
use crate::metrics::catalogue::telemetry::{DROPPED, EXPORTED, LOG_EVENTS, PANICS, SPANS_SAMPLED};
use crate::traces::RequestSpans;

/// The sources of telemetry's own metrics.
pub(crate) struct Own {
    pub(crate) spans: Arc<Outbox>,
    pub(crate) logs: Arc<Outbox>,
    pub(crate) metrics: Arc<Outbox>,
    pub(crate) lines: Lines,
    pub(crate) events: Arc<Events>,
    pub(crate) panics: Arc<Counter>,
    pub(crate) followed: RequestSpans,
}

impl Own {
    /// Registers the metrics.
    pub(crate) fn watch(self, meters: &Meters) {
        let Self { spans, logs, metrics, lines, events, panics, followed } = self;
        let signals = [("spans", spans), ("logs", logs), ("metrics", metrics)];
        let of = signals.clone();
        meters.watch(&DROPPED, move |told| {
            for (signal, outbox) in &of {
                told.is(&[signal, "queue_full"], outbox.full() as f64);
                told.is(&[signal, "export_failed"], outbox.failed() as f64);
            }
            told.is(&["lines", "queue_full"], lines.dropped() as f64);
        });
        meters.watch(&EXPORTED, move |told| {
            for (signal, outbox) in &signals {
                told.is(&[signal], outbox.exported() as f64);
            }
        });
        meters.watch(&LOG_EVENTS, move |told| {
            told.is(&["error"], events.errors() as f64);
            told.is(&["warn"], events.warnings() as f64);
        });
        meters.watch(&PANICS, move |told| told.is(&[], panics.get() as f64));
        meters.watch(&SPANS_SAMPLED, move |told| told.is(&[], followed.sampled() as f64));
    }
}
