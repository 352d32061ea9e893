//! The collector's address and its exporters, over OTLP/HTTP.

use std::sync::Arc;

use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::logs::LogExporter;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::SpanExporter;

use super::ExportQueue;
use super::client::{Cause, Client, Transport};
use super::exporter::Counted;
use crate::TelemetryError;
use crate::settings::{Otlp, Protocol};

/// A collector, and the connections that its exporters share.
pub(crate) struct Collector {
    settings: Otlp,
    transport: Transport,
}

impl Collector {
    /// Does not connect yet.
    pub(crate) fn new(settings: &Otlp) -> Result<Self, TelemetryError> {
        Ok(Self { transport: Transport::new(settings)?, settings: settings.clone() })
    }

    pub(crate) fn settings(&self) -> &Otlp {
        &self.settings
    }

    pub(crate) fn spans(
        &self,
        outbox: &Arc<ExportQueue>,
    ) -> Result<impl SpanExporter + use<>, TelemetryError> {
        let (cause, builder) =
            self.reported(opentelemetry_otlp::SpanExporter::builder().with_http(), "traces");
        Ok(Counted::new(builder.build().map_err(of)?, outbox, "traces", cause))
    }

    pub(crate) fn logs(
        &self,
        outbox: &Arc<ExportQueue>,
    ) -> Result<impl LogExporter + use<>, TelemetryError> {
        let (cause, builder) =
            self.reported(opentelemetry_otlp::LogExporter::builder().with_http(), "logs");
        Ok(Counted::new(builder.build().map_err(of)?, outbox, "logs", cause))
    }

    pub(crate) fn metrics(
        &self,
        outbox: &Arc<ExportQueue>,
    ) -> Result<impl PushMetricExporter + use<>, TelemetryError> {
        let (cause, builder) =
            self.reported(opentelemetry_otlp::MetricExporter::builder().with_http(), "metrics");
        Ok(Counted::new(builder.build().map_err(of)?, outbox, "metrics", cause))
    }

    /// Configures an exporter, and returns where it stores the cause of a failure. An export is
    /// attempted once, because later exports wait behind it.
    fn reported<B: WithExportConfig + WithHttpConfig>(
        &self,
        builder: B,
        signal: &str,
    ) -> (Cause, B) {
        let protocol = match self.settings.protocol {
            Protocol::HttpProtobuf => opentelemetry_otlp::Protocol::HttpBinary,
            Protocol::HttpJson => opentelemetry_otlp::Protocol::HttpJson,
        };
        let cause = Cause::default();
        let builder = builder
            .with_http_client(Client::new(&self.transport, &cause))
            .with_endpoint(format!("{}/v1/{signal}", self.settings.endpoint.trim_end_matches('/')))
            .with_protocol(protocol)
            .with_timeout(self.settings.timeout)
            .with_retry_policy(RetryPolicy::default().with_max_retries(0));
        (cause, builder)
    }
}

fn of(error: ExporterBuildError) -> TelemetryError {
    TelemetryError::Collector(error.to_string())
}
