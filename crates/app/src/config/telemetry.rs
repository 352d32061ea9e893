//! `[telemetry]`: logs.

use serde::{Deserialize, Serialize};
use telemetry::LogFormat;

use super::{ConfigError, KeyDoc, invalid};

/// Logs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct TelemetrySection {
    pub log_filter: String,
    pub log_format: String,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { log_filter: "info,actix_server=warn".to_owned(), log_format: "auto".to_owned() }
    }
}

impl TelemetrySection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc { name: "log_filter", meaning: "what is logged, such as `info` or `warn,boxoffice=debug`" },
        KeyDoc {
            name: "log_format",
            meaning: "`text`, `json`, or `auto`: text on a terminal, JSON elsewhere",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.format()?;
        telemetry::check_filter(&self.log_filter).map_err(|error| invalid("telemetry.log_filter", error))
    }

    /// The checked format.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn format(&self) -> Result<LogFormat, ConfigError> {
        self.log_format.parse().map_err(|error| invalid("telemetry.log_format", error))
    }
}
