//! `[telemetry]`: metrics, logs, traces.

mod otlp;
mod traces;

pub use otlp::OtlpSection;
pub use traces::TracesSection;

use serde::{Deserialize, Serialize};
use telemetry::{LogFormat, Settings};

use super::secret::one_or_many;
use super::{ConfigError, KeyDoc, invalid, require};

/// Metrics, logs, traces.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct TelemetrySection {
    pub log_filter: String,
    pub log_format: String,
    pub log_sample: f64,
    pub metrics: bool,
    pub failures_kept: u32,
    #[serde(deserialize_with = "one_or_many")]
    pub resource: Vec<String>,
    pub traces: TracesSection,
    pub otlp: OtlpSection,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self {
            log_filter: "info,actix_server=warn".to_owned(),
            log_format: "auto".to_owned(),
            log_sample: 0.001,
            metrics: true,
            failures_kept: 100,
            resource: Vec::new(),
            traces: TracesSection::default(),
            otlp: OtlpSection::default(),
        }
    }
}

impl TelemetrySection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "log_filter",
            meaning: "log filter, such as `info` or `warn,boxoffice=debug`",
        },
        KeyDoc {
            name: "log_format",
            meaning: "`text`, `json`, or `auto`: text on a terminal, JSON elsewhere",
        },
        KeyDoc {
            name: "log_sample",
            meaning: "share of successful requests that are logged, 0 to 1; failed ones are always logged",
        },
        KeyDoc {
            name: "metrics",
            meaning: "whether metrics are collected; `/metrics` on the operations listener exposes them to Prometheus",
        },
        KeyDoc {
            name: "failures_kept",
            meaning: "number of recent failures that `/failures` on the operations listener shows, 1 to 10000",
        },
        KeyDoc {
            name: "resource",
            meaning: "resource attributes of all exported telemetry, in addition to `service.name`, `service.version` and `service.instance.id`: a list of `key=value`, such as `deployment.environment.name=production`",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.format()?;
        telemetry::check_filter(&self.log_filter)
            .map_err(|error| invalid("telemetry.log_filter", error))?;
        share("telemetry.log_sample", self.log_sample)?;
        require(
            (1..=10_000).contains(&self.failures_kept),
            "telemetry.failures_kept",
            "must be from 1 to 10000",
        )?;
        pairs("telemetry.resource", self.resource.iter().map(String::as_str))?;
        self.traces.check()?;
        self.otlp.check()
    }

    /// The validated format.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn format(&self) -> Result<LogFormat, ConfigError> {
        self.log_format.parse().map_err(|error| invalid("telemetry.log_format", error))
    }

    /// The settings of telemetry.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        Ok(Settings {
            log_filter: self.log_filter.clone(),
            log_format: self.format()?,
            metrics: self.metrics,
            traces: self.traces.sampling(),
            resource: pairs("telemetry.resource", self.resource.iter().map(String::as_str))?,
            otlp: self.otlp.settings()?,
        })
    }
}

/// `Ok` if the value is a share, otherwise the error for this key.
fn share(key: &str, value: f64) -> Result<(), ConfigError> {
    require((0.0..=1.0).contains(&value), key, "must be from 0 to 1")
}

/// Parses texts like `key=value`. The error does not repeat them: they may be secrets.
fn pairs<'a>(
    key: &str,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty())?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    texts
        .map(|text| {
            pair(text).ok_or_else(|| invalid(key, "must be a list of strings like \"key=value\""))
        })
        .collect()
}
