//! What a metric is, apart from what it stands at.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values into buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric: a name that never changes its meaning, and how it is told apart within.
#[derive(Debug)]
pub struct Metric {
    /// By the naming rules of OpenTelemetry's semantic conventions.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// In UCUM: `s`, `By`; in braces what is counted.
    pub unit: &'static str,
    /// What it says, in one sentence.
    pub about: &'static str,
    /// What its series are told apart by. Each has few values, whatever people send.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// The name under which Prometheus knows it. A histogram has `_bucket`, `_sum` and `_count` after that.
    ///
    /// By the rules of "Prometheus and OpenMetrics Compatibility" in the OpenTelemetry specification.
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
