//! `[telemetry.otlp]`: the collector that receives telemetry.

use serde::{Deserialize, Serialize};
use telemetry::{Otlp, Protocol};

use super::pairs;
use crate::config::secret::{Secret, one_or_many};
use crate::config::{ConfigDuration, ConfigError, KeyDoc, between, invalid, require};

/// The collector that receives telemetry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct OtlpSection {
    pub endpoint: String,
    pub protocol: String,
    #[serde(deserialize_with = "one_or_many")]
    pub headers: Vec<Secret>,
    pub timeout: ConfigDuration,
    pub metrics_every: ConfigDuration,
    pub queue: u32,
    pub metrics: bool,
    pub traces: bool,
    pub logs: bool,
}

impl Default for OtlpSection {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            protocol: "http/protobuf".to_owned(),
            headers: Vec::new(),
            timeout: ConfigDuration::secs(3),
            metrics_every: ConfigDuration::secs(15),
            queue: 8_192,
            metrics: true,
            traces: true,
            logs: true,
        }
    }
}

impl OtlpSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "endpoint",
            meaning: "base URL of an OpenTelemetry collector, such as `http://127.0.0.1:4318`; if empty, nothing is exported",
        },
        KeyDoc { name: "protocol", meaning: "`http/protobuf` or `http/json`" },
        KeyDoc {
            name: "headers",
            meaning: "headers of each export, a list of `name=value`; their values are secrets",
        },
        KeyDoc {
            name: "timeout",
            meaning: "timeout of one export, 100ms to 60s; its content is then dropped and counted",
        },
        KeyDoc {
            name: "metrics_every",
            meaning: "interval at which metrics are exported, 1s to 10m",
        },
        KeyDoc {
            name: "queue",
            meaning: "maximum spans, and log records, that wait for export, 1 to 1000000; further ones are dropped and counted",
        },
        KeyDoc { name: "metrics", meaning: "whether metrics are exported" },
        KeyDoc { name: "traces", meaning: "whether traces are exported" },
        KeyDoc {
            name: "logs",
            meaning: "whether logs are exported, in addition to standard error",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        between(
            "telemetry.otlp.timeout",
            self.timeout,
            ConfigDuration::millis(100),
            ConfigDuration::secs(60),
        )?;
        between(
            "telemetry.otlp.metrics_every",
            self.metrics_every,
            ConfigDuration::secs(1),
            ConfigDuration::secs(600),
        )?;
        require(
            (1..=1_000_000).contains(&self.queue),
            "telemetry.otlp.queue",
            "must be from 1 to 1000000",
        )?;
        self.protocol()?;
        self.headers()?;
        require(
            self.endpoint.is_empty() || is_address(&self.endpoint),
            "telemetry.otlp.endpoint",
            "must be a URL like \"http://host:4318\", without user, query or fragment (secrets go into telemetry.otlp.headers)",
        )
    }

    /// The settings of the collector; `None` if there is none.
    pub(super) fn settings(&self) -> Result<Option<Otlp>, ConfigError> {
        if self.endpoint.is_empty() {
            return Ok(None);
        }
        Ok(Some(Otlp {
            endpoint: self.endpoint.clone(),
            protocol: self.protocol()?,
            timeout: self.timeout.0,
            headers: self.headers()?,
            metrics_every: self.metrics_every.0,
            queue: self.queue as usize,
            metrics: self.metrics,
            traces: self.traces,
            logs: self.logs,
        }))
    }

    fn protocol(&self) -> Result<Protocol, ConfigError> {
        self.protocol.parse().map_err(|error| invalid("telemetry.otlp.protocol", error))
    }

    fn headers(&self) -> Result<Vec<(String, String)>, ConfigError> {
        pairs("telemetry.otlp.headers", self.headers.iter().map(Secret::expose))
    }
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.starts_with(['/', ':'])
            && !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#'))
    })
}
