//! `[breaker]`: when calls to a failing dependency stop, and for how long.

use std::time::Duration;

use decorators::breaker::{BreakerSettings, State, Window};
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, KeyDoc, invalid};

/// The mode of a breaker.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerMode {
    /// There is no breaker.
    Off,
    /// It records calls and never opens, to find suitable thresholds.
    MetricsOnly,
    /// It opens when a rate exceeds its threshold.
    #[default]
    On,
    /// It stays open and refuses all calls.
    ForcedOpen,
}

/// The unit of the window.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowUnit {
    /// The calls of the last `window` seconds.
    #[default]
    Seconds,
    /// The last `window` calls.
    Calls,
}

/// The breakers: one for each dependency and kind of call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct BreakersSection {
    pub joining: BreakerSection,
    pub queue: BreakerSection,
    pub catalog: BreakerSection,
    pub cache: BreakerSection,
}

/// One breaker.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct BreakerSection {
    pub mode: BreakerMode,
    pub window: u32,
    pub window_unit: WindowUnit,
    pub minimum_calls: u32,
    pub failure_rate: f64,
    pub slow_call_rate: f64,
    pub slow_call: ConfigDuration,
    pub wait_in_open: ConfigDuration,
    pub wait_multiplier: f64,
    pub max_wait_in_open: ConfigDuration,
    pub wait_jitter: f64,
    pub half_open_permits: u32,
    pub max_half_open: ConfigDuration,
}

impl Default for BreakersSection {
    fn default() -> Self {
        // Five trial calls every three seconds are negligible to a database, and the catalog is
        // served again soon after it recovers.
        let catalog = BreakerSettings {
            max_wait_in_open: Duration::from_secs(3),
            ..BreakerSettings::default()
        };
        // Slow is about five times the 99th percentile, with a batch of joins ahead.
        let queue = BreakerSettings {
            slow_call: Duration::from_millis(500),
            // After a failover, users are served again within two seconds.
            max_wait_in_open: Duration::from_secs(2),
            ..catalog.clone()
        };
        // A join waits in the node for its batch, which says nothing about Redis. A batch that is
        // too slow times out and counts as a failure.
        let joining = BreakerSettings { slow_call: Duration::from_secs(60), ..queue.clone() };
        let cache = BreakerSettings { slow_call: Duration::from_millis(100), ..catalog.clone() };
        Self {
            joining: BreakerSection::of(&joining),
            queue: BreakerSection::of(&queue),
            catalog: BreakerSection::of(&catalog),
            cache: BreakerSection::of(&cache),
        }
    }
}

impl BreakersSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, section) in self.named() {
            let wrong = |error: decorators::breaker::InvalidSettings| {
                invalid(
                    &format!("breaker.{name}.{}", error.field),
                    format!("must be {}", error.must_be),
                )
            };
            section.settings().check().map_err(wrong)?;
        }
        Ok(())
    }

    fn named(&self) -> [(&'static str, &BreakerSection); 4] {
        [
            ("joining", &self.joining),
            ("queue", &self.queue),
            ("catalog", &self.catalog),
            ("cache", &self.cache),
        ]
    }
}

impl BreakerSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "mode",
            meaning: "`on`; `metrics-only` records calls and never opens; `forced-open` refuses all calls; `off` removes the breaker",
        },
        KeyDoc {
            name: "window",
            meaning: "number of seconds or calls in the window over which the rates are computed",
        },
        KeyDoc { name: "window_unit", meaning: "`seconds` or `calls`" },
        KeyDoc {
            name: "minimum_calls",
            meaning: "calls in the window below which there are no rates and the breaker stays closed",
        },
        KeyDoc {
            name: "failure_rate",
            meaning: "percentage of failed calls at which the breaker opens",
        },
        KeyDoc {
            name: "slow_call_rate",
            meaning: "percentage of slow calls at which the breaker opens",
        },
        KeyDoc { name: "slow_call", meaning: "a call that takes longer is slow" },
        KeyDoc { name: "wait_in_open", meaning: "how long the breaker stays open the first time" },
        KeyDoc {
            name: "wait_multiplier",
            meaning: "factor by which that time grows after each failed trial",
        },
        KeyDoc { name: "max_wait_in_open", meaning: "maximum of that time, before jitter" },
        KeyDoc {
            name: "wait_jitter",
            meaning: "share by which that time is randomly longer or shorter",
        },
        KeyDoc { name: "half_open_permits", meaning: "calls allowed in a trial" },
        KeyDoc {
            name: "max_half_open",
            meaning: "how long a trial may take before it counts as failed; 0s is unlimited",
        },
    ];

    fn of(settings: &BreakerSettings) -> Self {
        let (window, window_unit) = match settings.window {
            Window::Seconds(seconds) => (seconds, WindowUnit::Seconds),
            Window::Calls(calls) => (calls, WindowUnit::Calls),
        };
        Self {
            mode: BreakerMode::default(),
            window,
            window_unit,
            minimum_calls: settings.minimum_calls,
            failure_rate: settings.failure_rate,
            slow_call_rate: settings.slow_call_rate,
            slow_call: ConfigDuration(settings.slow_call),
            wait_in_open: ConfigDuration(settings.wait_in_open),
            wait_multiplier: settings.wait_multiplier,
            max_wait_in_open: ConfigDuration(settings.max_wait_in_open),
            wait_jitter: settings.wait_jitter,
            half_open_permits: settings.half_open_permits,
            max_half_open: ConfigDuration(settings.max_half_open),
        }
    }

    /// The settings of the breaker.
    #[must_use]
    pub fn settings(&self) -> BreakerSettings {
        BreakerSettings {
            window: match self.window_unit {
                WindowUnit::Seconds => Window::Seconds(self.window),
                WindowUnit::Calls => Window::Calls(self.window),
            },
            minimum_calls: self.minimum_calls,
            failure_rate: self.failure_rate,
            slow_call_rate: self.slow_call_rate,
            slow_call: self.slow_call.0,
            wait_in_open: self.wait_in_open.0,
            wait_multiplier: self.wait_multiplier,
            max_wait_in_open: self.max_wait_in_open.0,
            wait_jitter: self.wait_jitter,
            half_open_permits: self.half_open_permits,
            max_half_open: self.max_half_open.0,
            ..BreakerSettings::default()
        }
    }

    /// The initial state; `None` if there is no breaker.
    #[must_use]
    pub fn begins(&self) -> Option<State> {
        match self.mode {
            BreakerMode::Off => None,
            BreakerMode::MetricsOnly => Some(State::MetricsOnly),
            BreakerMode::On => Some(State::Closed),
            BreakerMode::ForcedOpen => Some(State::ForcedOpen),
        }
    }
}
