//! Additional stores for k6's measurements: a real server, started for the run and queried
//! afterwards.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::Value;
use test_support::{
    Doing as _, Influx, Outcome, Prometheus, failed, find_or_install_influxdb,
    find_or_install_prometheus,
};

use super::saved_run::SUMMARY;
use test_support::workspace::root;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Sink {
    /// InfluxDB 1.x, as in the load-test report
    Influxdb,
    /// Prometheus, by remote write
    Prometheus,
}

pub(super) enum Store {
    Influxdb(Influx),
    Prometheus(Prometheus),
}

/// The database of `deploy/observability/influxdb/k6.iql`.
const DATABASE: &str = "k6";
const SCHEMA: &str = "deploy/observability/influxdb/k6.iql";

/// How long the last measurements may take to become visible.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

impl Sink {
    pub(super) fn start(self) -> Outcome<Store> {
        let notify = |line: &str| println!("{line}");
        Ok(match self {
            Self::Influxdb => {
                let influx = Influx::start(&find_or_install_influxdb(notify)?)?;
                influx.run_file(&root().join(SCHEMA))?;
                Store::Influxdb(influx)
            }
            Self::Prometheus => {
                Store::Prometheus(Prometheus::taking_writes(&find_or_install_prometheus(notify)?)?)
            }
        })
    }
}

impl Store {
    pub(super) fn notify(&self, k6: &mut Command) {
        match self {
            Self::Influxdb(influx) => {
                k6.arg("--out").arg(format!("influxdb=http://{}/{DATABASE}", influx.address()));
            }
            Self::Prometheus(prometheus) => {
                k6.args(["--out", "experimental-prometheus-rw"]);
                k6.env("K6_PROMETHEUS_RW_SERVER_URL", prometheus.write_url());
                k6.env("K6_PROMETHEUS_RW_TREND_STATS", "p(50),p(95),p(99),max");
            }
        }
    }

    /// # Errors
    /// If the store does not hold as many requests as k6 counted.
    pub(super) fn found(&self, folder: &Path) -> Outcome<String> {
        let counted = counted(folder)?;
        let limit = Instant::now() + FOUND_WITHIN;
        loop {
            let found = self.requests()?;
            if found == counted {
                return Ok(format!("{} has all {counted} requests", self.name()));
            }
            if Instant::now() > limit {
                return Err(failed(format!(
                    "{} has {found} requests, and k6 made {counted}",
                    self.name()
                )));
            }
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Influxdb(_) => "InfluxDB",
            Self::Prometheus(_) => "Prometheus",
        }
    }

    fn requests(&self) -> Outcome<u64> {
        Ok(match self {
            Self::Influxdb(influx) => {
                let series = influx.query(DATABASE, "SELECT sum(value) FROM http_reqs")?;
                let value =
                    series.first().and_then(|series| series.values.first()?.get(1)?.as_f64());
                value.unwrap_or_default() as u64
            }
            Self::Prometheus(prometheus) => {
                let sum = prometheus.query("sum(k6_http_reqs_total)")?;
                sum.first().map_or(0, |sample| sample.value as u64)
            }
        })
    }
}

/// Requests counted by k6.
fn counted(folder: &Path) -> Outcome<u64> {
    let text = std::fs::read_to_string(folder.join(SUMMARY)).doing(format!("reading {SUMMARY}"))?;
    let summary: Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let count = summary["metrics"]["http_reqs"]["values"]["count"].as_f64();
    count.map(|count| count as u64).ok_or_else(|| failed("k6's summary has no requests"))
}
