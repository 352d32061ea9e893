//! `[breaker]`: when a dependency that fails is left alone, and for how long.

use std::time::Duration;

use decorators::breaker::{BreakerSettings, State, Window};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Span, invalid};

/// What a breaker does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerMode {
    /// It is not there.
    Off,
    /// It counts and tells, and lets everything through: for finding out what its limits should be.
    MetricsOnly,
    /// It opens when too much fails.
    #[default]
    On,
    /// It is open: nothing is asked.
    ForcedOpen,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowUnit {
    /// The calls of the last seconds.
    #[default]
    Seconds,
    /// The last so many calls.
    Calls,
}

/// The breakers: one for each dependency and kind of question.
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
    pub slow_call: Span,
    pub wait_in_open: Span,
    pub wait_multiplier: f64,
    pub longest_wait_in_open: Span,
    pub wait_jitter: f64,
    pub half_open_permits: u32,
    pub longest_half_open: Span,
}

impl Default for BreakersSection {
    fn default() -> Self {
        // A trial of five questions every three seconds is nothing to a database, and people see at once that it is back.
        let catalog = BreakerSettings {
            longest_wait_in_open: Duration::from_secs(3),
            ..BreakerSettings::default()
        };
        // Slow is about five times what the slowest of a hundred takes, with a batch of joins before it.
        let queue = BreakerSettings {
            slow_call: Duration::from_millis(500),
            // After a failover people are let back in every other second at the latest.
            longest_wait_in_open: Duration::from_secs(2),
            ..catalog.clone()
        };
        // A join waits in the node until a batch takes it along, which says nothing about Redis. A batch that is too slow
        // times out, and is a failure.
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
            meaning: "`on`; `metrics-only` counts and tells and lets everything through; `forced-open` lets nothing through; `off` is no breaker",
        },
        KeyDoc { name: "window", meaning: "how many seconds or calls the rates are made of" },
        KeyDoc { name: "window_unit", meaning: "`seconds` or `calls`" },
        KeyDoc {
            name: "minimum_calls",
            meaning: "the rates are not known, and nothing opens, until so many calls are in the window",
        },
        KeyDoc {
            name: "failure_rate",
            meaning: "opens when this many percent of the calls failed, or more",
        },
        KeyDoc {
            name: "slow_call_rate",
            meaning: "opens when this many percent of the calls were slow, or more",
        },
        KeyDoc { name: "slow_call", meaning: "a call that took longer than this was slow" },
        KeyDoc { name: "wait_in_open", meaning: "how long it stays open the first time" },
        KeyDoc {
            name: "wait_multiplier",
            meaning: "how many times longer each time after a failed trial",
        },
        KeyDoc {
            name: "longest_wait_in_open",
            meaning: "it stays open no longer than this, give or take the jitter",
        },
        KeyDoc {
            name: "wait_jitter",
            meaning: "by what share of it a wait is longer or shorter at random",
        },
        KeyDoc { name: "half_open_permits", meaning: "how many calls a trial lets through" },
        KeyDoc {
            name: "longest_half_open",
            meaning: "how long a trial may take before it counts as failed; 0s is for ever",
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
            slow_call: Span(settings.slow_call),
            wait_in_open: Span(settings.wait_in_open),
            wait_multiplier: settings.wait_multiplier,
            longest_wait_in_open: Span(settings.longest_wait_in_open),
            wait_jitter: settings.wait_jitter,
            half_open_permits: settings.half_open_permits,
            longest_half_open: Span(settings.longest_half_open),
        }
    }

    /// What the breaker is made with.
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
            longest_wait_in_open: self.longest_wait_in_open.0,
            wait_jitter: self.wait_jitter,
            half_open_permits: self.half_open_permits,
            longest_half_open: self.longest_half_open.0,
            ..BreakerSettings::default()
        }
    }

    /// The state it begins in; `None` for no breaker.
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
