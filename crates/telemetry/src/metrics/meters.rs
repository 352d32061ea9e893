//! Measuring: series that are read when somebody looks, and histograms that are fed.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, BoundHistogram, Meter};

use super::{Kind, Metric};

/// Makes instruments for the metrics of the catalogue, and for no others.
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

    /// Whether anything is measured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Reads a counter or a gauge whenever somebody looks. `read` is called on the thread of whoever looks and must not wait.
    pub fn watch(
        &self,
        metric: &'static Metric,
        read: impl Fn(&Watched<'_>) + Send + Sync + 'static,
    ) {
        let Some(meter) = &self.0 else { return };
        let told =
            move |instrument: &dyn AsyncInstrument<f64>| read(&Watched { metric, instrument });
        match metric.kind {
            Kind::Counter => drop(
                meter
                    .f64_observable_counter(metric.name)
                    .with_unit(metric.unit)
                    .with_description(metric.about)
                    .with_callback(told)
                    .build(),
            ),
            Kind::Gauge | Kind::Histogram(_) => drop(
                meter
                    .f64_observable_gauge(metric.name)
                    .with_unit(metric.unit)
                    .with_description(metric.about)
                    .with_callback(told)
                    .build(),
            ),
        }
    }

    /// A histogram to be fed.
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

/// Where the value of a watched metric is told.
pub struct Watched<'a> {
    metric: &'static Metric,
    instrument: &'a dyn AsyncInstrument<f64>,
}

impl Watched<'_> {
    /// The series with these label values, in the order of the metric's labels, stands at `value`.
    pub fn is(&self, labels: &[&str], value: f64) {
        self.instrument.observe(value, &attributes(self.metric, labels));
    }
}

/// A histogram, still to be told apart by its labels.
pub struct Histogram {
    metric: &'static Metric,
    instrument: Option<opentelemetry::metrics::Histogram<f64>>,
}

impl Histogram {
    /// One series: these label values, in the order of the metric's labels. Made once and kept, so that feeding it looks
    /// nothing up.
    #[must_use]
    pub fn series(&self, labels: &[&str]) -> Series {
        let bind = |instrument: &opentelemetry::metrics::Histogram<f64>| {
            Arc::new(instrument.bind(&attributes(self.metric, labels)))
        };
        Series(self.instrument.as_ref().map(bind))
    }
}

/// One series of a histogram. Clones feed the same one.
#[derive(Clone)]
pub struct Series(Option<Arc<BoundHistogram<f64>>>);

impl Series {
    /// Counts a value.
    pub fn record(&self, value: f64) {
        if let Some(bound) = &self.0 {
            bound.record(value);
        }
    }
}

/// A label without a value is left out, which is how Prometheus and OpenTelemetry both say "none".
fn attributes(metric: &Metric, values: &[&str]) -> Vec<KeyValue> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}: one value a label", metric.name);
    let labelled = metric.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    labelled.map(|(label, value)| KeyValue::new(*label, (*value).to_owned())).collect()
}
