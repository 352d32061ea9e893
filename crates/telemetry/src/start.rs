//! Setting it all up, once a process.

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;

use crate::TelemetryError;
use crate::metrics::{Meters, Scrape};

/// What is made of telemetry, and where it goes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether anything is measured.
    pub metrics: bool,
}

/// Telemetry as it was set up; [`stop`](Self::stop) sends what is still there.
pub struct Telemetry {
    metrics: Option<(SdkMeterProvider, Scrape)>,
}

/// The scope of all instruments.
const SCOPE: &str = "boxoffice";

impl Telemetry {
    /// Sets up what is asked for.
    ///
    /// # Errors
    /// [`TelemetryError`] when it cannot be set up.
    pub fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let metrics = settings.metrics.then(metrics).transpose()?;
        Ok(Self { metrics })
    }

    /// What is measured with.
    #[must_use]
    pub fn meters(&self) -> Meters {
        self.metrics.as_ref().map_or_else(Meters::off, |(provider, _)| Meters::new(provider.meter(SCOPE)))
    }

    /// What Prometheus reads, if anything is measured.
    #[must_use]
    pub fn scrape(&self) -> Option<Scrape> {
        self.metrics.as_ref().map(|(_, scrape)| scrape.clone())
    }
}

fn metrics() -> Result<(SdkMeterProvider, Scrape), TelemetryError> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    Ok((SdkMeterProvider::builder().with_reader(reader).build(), Scrape::new(registry)))
}
