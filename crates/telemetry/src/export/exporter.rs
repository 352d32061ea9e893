//! Exporters that count the results of their exports, and log when they start or stop failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::ExportQueue;
use super::client::Cause;
use crate::log;

/// An exporter whose exports are counted.
#[derive(Debug)]
pub(super) struct Counted<E> {
    exporter: E,
    outbox: Arc<ExportQueue>,
    signal: &'static str,
    cause: Cause,
    fails: AtomicBool,
}

impl<E> Counted<E> {
    /// `cause` holds more detail than the exporter's error.
    pub(super) fn new(
        exporter: E,
        outbox: &Arc<ExportQueue>,
        signal: &'static str,
        cause: Cause,
    ) -> Self {
        Self { exporter, outbox: Arc::clone(outbox), signal, cause, fails: AtomicBool::new(false) }
    }

    /// Logs the first failure and the recovery, not every failure.
    fn note(&self, result: &OTelSdkResult) {
        let failed = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !failed => {
                let cause = self.cause.take().unwrap_or_else(|| error.to_string());
                tracing::warn!(
                    target: log::OWN,
                    signal = self.signal,
                    cause,
                    "telemetry export failed"
                );
            }
            Ok(()) if failed => {
                tracing::info!(
                    target: log::OWN,
                    signal = self.signal,
                    "telemetry export recovered"
                );
            }
            Ok(()) | Err(_) => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        let result = self.exporter.export(batch).await;
        self.outbox.leave(items, result.is_ok());
        self.note(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        let result = self.exporter.export(batch).await;
        self.outbox.leave(items, result.is_ok());
        self.note(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counted<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.exporter.export(metrics).await;
        self.outbox.count(1, result.is_ok());
        self.note(&result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
