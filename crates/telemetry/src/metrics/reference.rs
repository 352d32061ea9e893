//! `docs/metrics.md`, printed from the catalogue.

use std::fmt::Write as _;

use super::catalogue::FAMILIES;
use super::{Kind, Metric};

const HEAD: &str = "# Metrics

Printed from the code by `cargo xtask docs`; a test fails when it is not current.

Every metric is measured once, by the OpenTelemetry SDK, and leaves by two doors: `/metrics` on the operations listener, in
Prometheus's text format, and OTLP, where `telemetry.otlp.endpoint` names a collector. The first name of each is
OpenTelemetry's, the second Prometheus's; a histogram has `_bucket`, `_sum` and `_count` after that. Dots of labels are
underscores in Prometheus. No label ever holds a path, a user, a token or an address.
";

/// The reference.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for family in FAMILIES {
        let _ = write!(
            page,
            "\n## {}\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n",
            family.title
        );
        for metric in family.metrics {
            page.push_str(&row(metric));
        }
    }
    page
}

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter".to_owned(),
        Kind::Gauge => "gauge".to_owned(),
        Kind::Histogram(buckets) => {
            let bounds: Vec<_> = buckets.iter().map(ToString::to_string).collect();
            format!("histogram, {}", bounds.join(" "))
        }
    };
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!(
        "| `{}`<br>`{}` | {kind} | {} | {} |\n",
        metric.name,
        metric.prometheus_name(),
        labels.join(", "),
        metric.about,
    )
}
