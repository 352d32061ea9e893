//! The definition of a metric, apart from its values.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric. Its name never changes meaning.
#[derive(Debug)]
pub struct Metric {
    /// Follows the naming rules of OpenTelemetry's semantic conventions.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// In UCUM: `s`, `By`; the counted thing in braces.
    pub unit: &'static str,
    /// The meaning, in one sentence.
    pub about: &'static str,
    /// The labels of its series. Each has few values, whatever clients send.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// The name in Prometheus. For a histogram, `_bucket`, `_sum` and `_count` follow.
    ///
    /// By the rules of "Prometheus and OpenMetrics Compatibility" in the OpenTelemetry
    /// specification.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" => "_ratio",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}
