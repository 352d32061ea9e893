//! `docs/metrics.md`, generated from the catalog.

use std::fmt::Write as _;

use super::catalog::FAMILIES;
use super::{Kind, Metric};

const HEAD: &str = "# Metrics

Generated from the code by `cargo xtask docs`; a test fails if this file is out of date.

The OpenTelemetry SDK measures every metric once and exports it in two ways: at `/metrics` on the
operations listener, in Prometheus's text format, and over OTLP, if `telemetry.otlp.endpoint` names
a collector. The first name of each metric is OpenTelemetry's, the second Prometheus's; for a
histogram, `_bucket`, `_sum` and `_count` follow. Dots in labels are underscores in Prometheus. No
label ever contains a path, a user, a token or an address.
";

/// Renders the reference as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for family in FAMILIES {
        let _ = write!(
            page,
            "\n## {}\n\n| metric | kind | |labels | meaning ||\n|---|---|---|---|\n",
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
