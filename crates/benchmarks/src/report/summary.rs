//! The counts of k6.

use std::fs;
use std::path::Path;

use serde_json::Value;
use test_support::{Doing as _, Outcome, failed};

use crate::loadtest::saved_run::SUMMARY;

/// The saved summary that k6 passes to a script at the end.
pub(super) struct Summary(Value);

/// Times of one kind of request, milliseconds.
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) longest: f64,
}

impl Summary {
    /// # Errors
    /// If the file does not exist, or is not a summary.
    pub(super) fn read(folder: &Path) -> Outcome<Self> {
        let file = folder.join(SUMMARY);
        let text = fs::read_to_string(&file).doing(format!("reading {}", file.display()))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        if value["metrics"]["http_reqs"].is_null() {
            return Err(failed(format!("{} has no requests", file.display())));
        }
        Ok(Self(value))
    }

    fn value(&self, metric: &str, name: &str) -> Option<f64> {
        self.0["metrics"][metric]["values"][name].as_f64()
    }

    pub(super) fn count(&self, metric: &str) -> u64 {
        self.value(metric, "count").unwrap_or_default() as u64
    }

    /// The duration in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.0["state"]["testRunDurationMs"].as_f64().unwrap_or_default() / 1e3
    }

    /// Requests that failed unexpectedly.
    pub(super) fn failures(&self) -> u64 {
        // This metric is a rate of failures, so its passes are the failed requests.
        self.value("http_req_failed", "passes").unwrap_or_default() as u64
    }

    /// Checks that held, and all checks.
    pub(super) fn checks(&self) -> (u64, u64) {
        let of = |name| self.value("checks", name).unwrap_or_default() as u64;
        (of("passes"), of("passes") + of("fails"))
    }

    pub(super) fn times(&self, metric: &str) -> Option<Times> {
        let of = |name| self.value(metric, name);
        Some(Times {
            count: of("count")? as u64,
            p50: of("med")?,
            p95: of("p(95)")?,
            p99: of("p(99)")?,
            p999: of("p(99.9)")?,
            longest: of("max")?,
        })
    }

    /// The requested routes, sorted.
    pub(super) fn routes(&self) -> Vec<String> {
        let metrics = self.0["metrics"].as_object().into_iter().flat_map(|metrics| metrics.keys());
        let route = |name: &String| {
            Some(name.strip_prefix("http_req_duration{route:")?.strip_suffix('}')?.to_owned())
        };
        let mut routes: Vec<String> = metrics.filter_map(route).collect();
        routes.sort_unstable();
        routes
    }

    /// The crossed thresholds.
    pub(super) fn crossed(&self) -> Vec<String> {
        let metrics = self.0["metrics"].as_object().into_iter().flatten();
        let crossed = metrics.flat_map(|(metric, value)| {
            let thresholds = value["thresholds"].as_object().into_iter().flatten();
            thresholds
                .filter(|(_, held)| held["ok"] == false)
                .map(move |(name, _)| format!("{metric}: {name}"))
        });
        crossed.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_summary_matches_the_file_of_k6() {
        let folder = tempfile::tempdir().unwrap();
        let trend = json!({"values": {"count": 7, "med": 1.0, "p(95)": 2.0, "p(99)": 3.0, "p(99.9)": 4.0, "max": 5.0},
                           "thresholds": {"p(95)<1": {"ok": false}, "p(99)<9": {"ok": true}}});
        let text = json!({"state": {"testRunDurationMs": 1500.0}, "metrics": {
            "http_reqs": {"values": {"count": 8}}, "http_req_duration{route:dates}": trend,
            "http_req_failed": {"values": {"passes": 1, "fails": 7}}, "checks": {"values": {"passes": 9, "fails": 1}}}});
        fs::write(folder.path().join(SUMMARY), text.to_string()).unwrap();
        let summary = Summary::read(folder.path()).unwrap();
        assert_eq!(
            (summary.count("http_reqs"), summary.failures(), summary.checks()),
            (8, 1, (9, 10))
        );
        assert_eq!(summary.routes(), ["dates"]);
        assert_eq!(summary.crossed(), ["http_req_duration{route:dates}: p(95)<1"]);
        assert_eq!(summary.times("http_req_duration{route:dates}").unwrap().count, 7);
    }
}
