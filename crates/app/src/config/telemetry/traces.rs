//! `[telemetry.traces]`: which requests are traced.

use serde::{Deserialize, Serialize};
use telemetry::Sampling;

use super::share;
use crate::config::{ConfigError, KeyDoc};

/// Which requests are traced.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct TracesSection {
    pub sample: f64,
    pub trust_callers: bool,
}

impl Default for TracesSection {
    fn default() -> Self {
        Self { sample: 0.01, trust_callers: false }
    }
}

impl TracesSection {
    pub(in crate::config) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "sample",
            meaning: "share of requests whose trace is exported to a collector, 0 to 1",
        },
        KeyDoc {
            name: "trust_callers",
            meaning: "whether a `traceparent` header decides instead; only behind a gateway that removes the header from external requests",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        share("telemetry.traces.sample", self.sample)
    }

    pub(super) fn sampling(&self) -> Sampling {
        Sampling { share: self.sample, trust_callers: self.trust_callers }
    }
}
