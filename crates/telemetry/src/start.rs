//! Sets up telemetry, once per process.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::Registry;
use tracing::Dispatch;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::counter::Counter;
use crate::export::{self, Collector, ExportQueue};
use crate::log::{self, Events, FlushGuard, Lines};
use crate::metrics::{Meters, Scrape};
use crate::resource::resource;
use crate::self_metrics::SelfMetrics;
use crate::settings::{Otlp, Settings};
use crate::traces::{self, Ids, OnlyRequests, RequestSpans};
use crate::{TelemetryError, panics, process};

/// The scope of all instruments.
const SCOPE: &str = "boxoffice";

/// Metric exports do not queue: the next one has newer values.
const NO_PLACES: usize = 0;

/// Running telemetry; [`stop`](Self::stop) sends the remaining items.
pub struct Telemetry {
    instruments: Instruments,
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    metrics: Option<SdkMeterProvider>,
    lines: FlushGuard,
    panics: Arc<Counter>,
}

/// The instruments of the program. Clones share them.
#[derive(Clone)]
pub struct Instruments {
    /// Creates metrics.
    pub meters: Meters,
    /// Renders metrics for Prometheus, if metrics are recorded.
    pub scrape: Option<Scrape>,
    /// Starts traces of requests.
    pub spans: RequestSpans,
}

impl Instruments {
    /// Records no metrics and no traces.
    #[must_use]
    pub fn off() -> Self {
        Self { meters: Meters::off(), scrape: None, spans: RequestSpans::off() }
    }

    /// For Prometheus only, and separate from all other telemetry of this process.
    ///
    /// # Errors
    /// [`TelemetryError::Metrics`] if the setup fails.
    pub fn to_be_scraped() -> Result<Self, TelemetryError> {
        let (provider, scrape) = metrics(&resource(&[]), None)?;
        let meters = Meters::new(provider.meter(SCOPE));
        process::watch(&meters);
        Ok(Self { meters, scrape: Some(scrape), ..Self::off() })
    }
}

impl Telemetry {
    /// Sets up telemetry for the whole process: logs go to standard error, and panics are logged.
    /// Only the program calls it, once; a library never does.
    ///
    /// # Errors
    /// [`TelemetryError`] if the settings are invalid or logging is already set up. An unreachable
    /// collector is not an error.
    pub fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let (telemetry, dispatch) = Self::prepare(settings, io::stderr())?;
        tracing::dispatcher::set_global_default(dispatch)
            .map_err(|_| TelemetryError::AlreadySet)?;
        panics::count(Arc::clone(&telemetry.panics));
        Ok(telemetry)
    }

    /// Sets up telemetry without changing the process: logs go to `out`, and only work done under
    /// the returned dispatch (`tracing::dispatcher::with_default`) is recorded. For tests.
    ///
    /// # Errors
    /// [`TelemetryError`] if the settings are invalid.
    pub fn prepare(
        settings: &Settings,
        out: impl Write + Send + 'static,
    ) -> Result<(Self, Dispatch), TelemetryError> {
        let resource = resource(&settings.resource);
        let otlp = settings.otlp.as_ref();
        let outbox = |places| Arc::new(ExportQueue::new(places));
        let queue = otlp.map_or(0, |otlp| otlp.queue);
        let (spans, logs, exports) = (outbox(queue), outbox(queue), outbox(NO_PLACES));

        let collector = otlp.map(Collector::new).transpose()?;
        let collects =
            |signal: fn(&Otlp) -> bool| collector.as_ref().filter(|to| signal(to.settings()));
        let traces =
            collects(|otlp| otlp.traces).map(|to| tracer(to, &resource, &spans)).transpose()?;
        let records =
            collects(|otlp| otlp.logs).map(|to| logger(to, &resource, &logs)).transpose()?;
        let sent = collects(|otlp| otlp.metrics).map(|to| (to, &exports));
        let measured = settings.metrics.then(|| metrics(&resource, sent)).transpose()?;
        let followed =
            traces.as_ref().map_or_else(RequestSpans::off, |_| RequestSpans::new(settings.traces));

        let (writer, lines, guard) = Lines::to(out);
        let events = Arc::new(Events::default());
        let tracer = traces.as_ref().map(|provider| {
            let tracer = provider.tracer(SCOPE);
            let layer = tracing_opentelemetry::layer()
                .with_tracer(tracer)
                .with_location(false)
                .with_threads(false);
            layer.with_target(false).with_filter(traces::recorded())
        });
        let bridge = records.as_ref().map(|provider| -> Result<_, TelemetryError> {
            let wanted = log::wanted(&settings.log_filter)?
                .and(filter_fn(|about| about.target() != log::OWN));
            Ok(OpenTelemetryTracingBridge::new(provider).with_filter(wanted))
        });
        let hearers = tracing_subscriber::registry()
            .with(tracer)
            .with(bridge.transpose()?)
            .with(events.layer())
            .with(log::layer(&settings.log_filter, settings.log_format, writer)?);

        let (metrics, scrape) = measured.unzip();
        let meters = metrics.as_ref().map_or_else(Meters::off, |provider: &SdkMeterProvider| {
            Meters::new(provider.meter(SCOPE))
        });
        let panics = Arc::new(Counter::default());
        let own = SelfMetrics {
            spans,
            logs,
            metrics: exports,
            lines,
            events,
            panics: Arc::clone(&panics),
            followed: followed.clone(),
        };
        own.watch(&meters);
        process::watch(&meters);
        let instruments = Instruments { meters, scrape, spans: followed };
        let telemetry = Self { instruments, traces, logs: records, metrics, lines: guard, panics };
        Ok((telemetry, Dispatch::new(hearers)))
    }

    /// Returns the instruments of the program.
    #[must_use]
    pub fn instruments(&self) -> Instruments {
        self.instruments.clone()
    }

    /// Returns a handle that flushes the log, for code that cannot wait for [`stop`](Self::stop).
    #[must_use]
    pub fn flush_guard(&self) -> FlushGuard {
        self.lines.clone()
    }

    /// Sends the remaining items within this time; items not sent by then are lost. Blocks.
    pub fn stop(self, limit: Duration) {
        let Self { traces, logs, metrics, lines, .. } = self;
        let (done, end) = sync_channel::<()>(1);
        let stopping = move || {
            // Each provider sends its remaining items, or gives up within the limit.
            let _ = traces.map(|provider| provider.shutdown_with_timeout(limit));
            let _ = logs.map(|provider| provider.shutdown_with_timeout(limit));
            let _ = metrics.map(|provider| provider.shutdown_with_timeout(limit));
            drop(done);
        };
        // If no thread can be started, nothing is sent.
        if std::thread::Builder::new().name("telemetry-stop".to_owned()).spawn(stopping).is_ok() {
            let _ = end.recv_timeout(limit);
        }
        lines.write_out();
    }
}

fn tracer(
    collector: &Collector,
    resource: &Resource,
    outbox: &Arc<ExportQueue>,
) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = collector.spans(outbox)?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_id_generator(Ids::default())
        .with_sampler(OnlyRequests)
        .with_span_processor(export::span_processor(exporter, outbox))
        .build())
}

fn logger(
    collector: &Collector,
    resource: &Resource,
    outbox: &Arc<ExportQueue>,
) -> Result<SdkLoggerProvider, TelemetryError> {
    let exporter = collector.logs(outbox)?;
    let processor = export::log_processor(exporter, outbox);
    Ok(SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_log_processor(processor)
        .build())
}

fn metrics(
    resource: &Resource,
    sent: Option<(&Collector, &Arc<ExportQueue>)>,
) -> Result<(SdkMeterProvider, Scrape), TelemetryError> {
    let registry = Registry::new();
    let read = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    let mut provider =
        SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(read);
    if let Some((collector, outbox)) = sent {
        let every = collector.settings().metrics_every;
        let reader =
            PeriodicReader::builder(collector.metrics(outbox)?).with_interval(every).build();
        provider = provider.with_reader(reader);
    }
    let provider = provider.build();
    Ok((provider.clone(), Scrape::new(registry, provider)))
}
