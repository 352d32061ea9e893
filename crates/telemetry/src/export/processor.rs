//! Limits the items that enter the SDK's batch processors: without room an item is dropped at once.
//! Each batch processor has its own thread.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatches, BatchLogProcessor, LogExporter, LogProcessor, SdkLogRecord,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatches, BatchSpanProcessor, Span, SpanData, SpanExporter,
    SpanProcessor,
};

use super::ExportQueue;

/// How long items wait to form a batch. Short, so that a process that dies loses little.
const EVERY: Duration = Duration::from_secs(1);

/// A batch processor with bounded admission.
#[derive(Debug)]
pub(crate) struct Bounded<P> {
    batches: P,
    outbox: Arc<ExportQueue>,
}

pub(crate) fn span_processor(
    exporter: impl SpanExporter + 'static,
    outbox: &Arc<ExportQueue>,
) -> Bounded<BatchSpanProcessor> {
    let config =
        SpanBatches::default().with_max_queue_size(outbox.capacity()).with_scheduled_delay(EVERY);
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build();
    Bounded { batches, outbox: Arc::clone(outbox) }
}

pub(crate) fn log_processor(
    exporter: impl LogExporter + 'static,
    outbox: &Arc<ExportQueue>,
) -> Bounded<BatchLogProcessor> {
    let config =
        LogBatches::default().with_max_queue_size(outbox.capacity()).with_scheduled_delay(EVERY);
    let batches = BatchLogProcessor::builder(exporter).with_batch_config(config.build()).build();
    Bounded { batches, outbox: Arc::clone(outbox) }
}

impl SpanProcessor for Bounded<BatchSpanProcessor> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.outbox.enter() {
            self.batches.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

impl LogProcessor for Bounded<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.outbox.enter() {
            self.batches.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}
