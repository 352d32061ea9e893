//! The way to the collector: OTLP over HTTP. Each export is one attempt within its limit; what became of it is counted, and
//! logged when it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::Outbox;
use super::client::Client;
use crate::settings::{Otlp, Protocol};
use crate::{TelemetryError, log};

/// An exporter whose exports are counted.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    exporter: E,
    outbox: Arc<Outbox>,
    signal: &'static str,
    fails: AtomicBool,
}

impl<E> Counted<E> {
    fn new(exporter: E, outbox: &Arc<Outbox>, signal: &'static str) -> Self {
        Self { exporter, outbox: Arc::clone(outbox), signal, fails: AtomicBool::new(false) }
    }

    /// Failing is logged when it begins and when it ends, not every time.
    fn note(&self, result: &OTelSdkResult) {
        let failed = self.fails.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !failed => {
                tracing::warn!(target: log::OWN, signal = self.signal, cause = %error, "telemetry cannot be sent: it is dropped");
            }
            Ok(()) if failed => {
                tracing::info!(target: log::OWN, signal = self.signal, "telemetry is sent again");
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

/// What one builder after another is told; a macro because their types have nothing in common.
macro_rules! exporter {
    ($builder:expr, $settings:expr, $path:literal) => {{
        let settings: &Otlp = $settings;
        let client: Arc<dyn HttpClient> = Arc::new(Client::new(settings.timeout)?);
        $builder
            .with_http()
            .with_shared_http_client(client)
            .with_endpoint(format!("{}{}", settings.endpoint.trim_end_matches('/'), $path))
            .with_protocol(protocol(settings.protocol))
            .with_timeout(settings.timeout)
            .with_headers(settings.headers.iter().cloned().collect())
            .build()
            .map_err(|error| TelemetryError::Collector(error.to_string()))?
    }};
}

pub(crate) fn span_exporter(
    settings: &Otlp,
    outbox: &Arc<Outbox>,
) -> Result<impl SpanExporter + 'static, TelemetryError> {
    let exporter = exporter!(opentelemetry_otlp::SpanExporter::builder(), settings, "/v1/traces");
    Ok(Counted::new(exporter, outbox, "traces"))
}

pub(crate) fn log_exporter(
    settings: &Otlp,
    outbox: &Arc<Outbox>,
) -> Result<impl LogExporter + 'static, TelemetryError> {
    let exporter = exporter!(opentelemetry_otlp::LogExporter::builder(), settings, "/v1/logs");
    Ok(Counted::new(exporter, outbox, "logs"))
}

pub(crate) fn metric_exporter(
    settings: &Otlp,
    outbox: &Arc<Outbox>,
) -> Result<impl PushMetricExporter, TelemetryError> {
    let exporter = exporter!(opentelemetry_otlp::MetricExporter::builder(), settings, "/v1/metrics");
    Ok(Counted::new(exporter, outbox, "metrics"))
}

fn protocol(of: Protocol) -> opentelemetry_otlp::Protocol {
    match of {
        Protocol::HttpProtobuf => opentelemetry_otlp::Protocol::HttpBinary,
        Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
    }
}
