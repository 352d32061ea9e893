//! Conversion of exported metrics.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Metric as Sent, NumberDataPoint};

use super::values::{Attributes, attributes, of_resource};

/// A point of a series, with the attributes of its process.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The name of the metric.
    pub name: String,
    /// The unit.
    pub unit: String,
    /// The description.
    pub description: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    pub kind: &'static str,
    /// The attributes that identify the series within the metric.
    pub attributes: Attributes,
    /// The value; for a histogram or a summary, the sum.
    pub value: f64,
    /// The number of values in a histogram or a summary.
    pub count: Option<u64>,
    /// The instrumentation scope.
    pub scope: String,
    /// The attributes of the process.
    pub resource: Attributes,
}

/// The part that differs between the kinds of metrics.
struct Point {
    attributes: Vec<KeyValue>,
    value: f64,
    count: Option<u64>,
}

pub(super) fn flatten(sent: ExportMetricsServiceRequest) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for of_process in sent.resource_metrics {
        let resource = of_resource(of_process.resource);
        for of_scope in of_process.scope_metrics {
            let scope = of_scope.scope.map(|scope| scope.name).unwrap_or_default();
            metrics.extend(
                of_scope.metrics.into_iter().flat_map(|metric| flat(metric, &scope, &resource)),
            );
        }
    }
    metrics
}

fn flat(sent: Sent, scope: &str, resource: &Attributes) -> Vec<Metric> {
    let Sent { name, unit, description, data, .. } = sent;
    let Some(data) = data else { return Vec::new() };
    let (kind, points) = points(data);
    let metric = |point: Point| Metric {
        name: name.clone(),
        unit: unit.clone(),
        description: description.clone(),
        kind,
        attributes: attributes(point.attributes),
        value: point.value,
        count: point.count,
        scope: scope.to_owned(),
        resource: resource.clone(),
    };
    points.into_iter().map(metric).collect()
}

fn points(data: Data) -> (&'static str, Vec<Point>) {
    let of = |attributes, sum: f64, count| Point { attributes, value: sum, count: Some(count) };
    match data {
        Data::Gauge(gauge) => ("gauge", numbers(gauge.data_points)),
        Data::Sum(sum) => ("sum", numbers(sum.data_points)),
        Data::Histogram(histogram) => {
            let points = histogram.data_points.into_iter();
            (
                "histogram",
                points
                    .map(|point| of(point.attributes, point.sum.unwrap_or(0.0), point.count))
                    .collect(),
            )
        }
        Data::ExponentialHistogram(histogram) => {
            let points = histogram.data_points.into_iter();
            let points =
                points.map(|point| of(point.attributes, point.sum.unwrap_or(0.0), point.count));
            ("exponential_histogram", points.collect())
        }
        Data::Summary(summary) => {
            let points = summary.data_points.into_iter();
            ("summary", points.map(|point| of(point.attributes, point.sum, point.count)).collect())
        }
    }
}

fn numbers(sent: Vec<NumberDataPoint>) -> Vec<Point> {
    let point = |sent: NumberDataPoint| {
        let value = match sent.value? {
            Value::AsDouble(number) => number,
            Value::AsInt(number) => number as f64,
        };
        Some(Point { attributes: sent.attributes, value, count: None })
    };
    // A point without a value reports that there was none.
    sent.into_iter().filter_map(point).collect()
}
