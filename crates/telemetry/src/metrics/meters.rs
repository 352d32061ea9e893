//! Instruments: series read on collection, and histograms that record values.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, BoundHistogram, Meter};

use super::{Kind, Metric};

/// Creates instruments for the metrics of the catalog, and for no others.
#[derive(Clone)]
pub struct Meters(Option<Meter>);

impl Meters {
    pub(crate) fn new(meter: Meter) -> Self {
        Self(Some(meter))
    }

    /// Measures nothing, at no cost.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether measuring is enabled.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Registers a counter or a gauge that is read on every collection. `read` runs on the
    /// collecting thread and must not block.
    pub fn watch(
        &self,
        metric: &'static Metric,
        read: impl Fn(&Watched<'_>) + Send + Sync + 'static,
    ) {
        let Some(meter) = &self.0 else { return };
        let reported =
            move |instrument: &dyn AsyncInstrument<f64>| read(&Watched { metric, instrument });
        match metric.kind {
            Kind::Counter => drop(
                meter
                    .f64_observable_counter(metric.name)
                    .with_unit(metric.unit)
                    .with_description(metric.about)
                    .with_callback(reported)
                    .build(),
            ),
            Kind::Gauge | Kind::Histogram(_) => drop(
                meter
                    .f64_observable_gauge(metric.name)
                    .with_unit(metric.unit)
                    .with_description(metric.about)
                    .with_callback(reported)
                    .build(),
            ),
        }
    }

    /// Creates a histogram.
    #[must_use]
    pub fn histogram(&self, metric: &'static Metric) -> Histogram {
        let buckets = match metric.kind {
            Kind::Histogram(buckets) => buckets.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        let instrument = self.0.as_ref().map(|meter| {
            meter
                .f64_histogram(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.about)
                .with_boundaries(buckets)
                .build()
        });
        Histogram { metric, instrument }
    }
}

/// Receives the values of a watched metric.
pub struct Watched<'a> {
    metric: &'static Metric,
    instrument: &'a dyn AsyncInstrument<f64>,
}

impl Watched<'_> {
    /// Reports the value of the series with these label values, in the order of the metric's
    /// labels.
    pub fn is(&self, labels: &[&str], value: f64) {
        self.instrument.observe(value, &attributes(self.metric, labels));
    }
}

/// A histogram, before its labels are bound.
pub struct Histogram {
    metric: &'static Metric,
    instrument: Option<opentelemetry::metrics::Histogram<f64>>,
}

impl Histogram {
    /// Binds label values, in the order of the metric's labels. Keep the result, so that recording
    /// needs no lookup.
    #[must_use]
    pub fn series(&self, labels: &[&str]) -> Series {
        let bind = |instrument: &opentelemetry::metrics::Histogram<f64>| {
            Arc::new(instrument.bind(&attributes(self.metric, labels)))
        };
        Series(self.instrument.as_ref().map(bind))
    }
}

/// One series of a histogram. Clones record into the same series.
#[derive(Clone)]
pub struct Series(Option<Arc<BoundHistogram<f64>>>);

impl Series {
    /// Records a value.
    pub fn record(&self, value: f64) {
        if let Some(bound) = &self.0 {
            bound.record(value);
        }
    }
}

/// Omits labels with an empty value: Prometheus and OpenTelemetry both represent "none" that way.
fn attributes(metric: &Metric, values: &[&str]) -> Vec<KeyValue> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}: one value per label", metric.name);
    let labelled = metric.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    labelled.map(|(label, value)| KeyValue::new(*label, (*value).to_owned())).collect()
}
