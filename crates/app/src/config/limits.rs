//! `[limits]` and `[retry]`: timeouts, concurrency limits and retries of the calls to dependencies.

use std::time::Duration;

use decorators::bulkhead::BulkheadSettings;
use decorators::retry::RetrySettings;
use decorators::wait_queue::WaitLimits;
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, KeyDoc, require};

/// The limits: one set for each kind of call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct LimitsSection {
    pub queue: LimitSection,
    pub concerts: LimitSection,
    pub dates: LimitSection,
    pub cache: LimitSection,
}

/// The limits of one kind of call.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct LimitSection {
    pub timeout: ConfigDuration,
    pub concurrent: u32,
    pub waiting: u32,
    pub wait: ConfigDuration,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let shared = |concurrent, waiting| LimitSection {
            timeout: ConfigDuration::secs(1),
            concurrent,
            waiting,
            // A refused client retries in a second, so one that expects half of that is better off
            // waiting. With a cold cache, 600 concurrent users are served in it at 1,200 responses
            // a second.
            wait: ConfigDuration::secs(1),
        };
        let alone = |timeout| LimitSection { timeout, ..shared(0, 0) };
        Self {
            // The adapter has its own limits: `redis.queue.timeout` for a join to enter a batch and
            // again for its reply, and `redis.queue.max_in_flight`. A second timer around each join
            // costs measurable time (ADR 21).
            queue: alone(ConfigDuration::secs(0)),
            // Together slightly more than the connections of the pool, and neither takes them all:
            // a slow list cannot starve the dates, nor the reverse.
            concerts: shared(4, 256),
            dates: shared(8, 1_024),
            // Longer than the pool's own limits together, so that a full pool is distinguishable
            // from a Redis that hangs.
            cache: alone(ConfigDuration::millis(250)),
        }
    }
}

impl LimitsSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, limit) in self.named() {
            let key = |key: &str| format!("limits.{name}.{key}");
            require(
                limit.timeout <= ConfigDuration::secs(60),
                &key("timeout"),
                "must be at most 60s",
            )?;
            require(limit.concurrent <= 100_000, &key("concurrent"), "must be at most 100000")?;
            require(limit.waiting <= 100_000, &key("waiting"), "must be at most 100000")?;
            require(limit.wait <= ConfigDuration::secs(10), &key("wait"), "must be at most 10s")?;
        }
        Ok(())
    }

    fn named(&self) -> [(&'static str, &LimitSection); 4] {
        [
            ("queue", &self.queue),
            ("concerts", &self.concerts),
            ("dates", &self.dates),
            ("cache", &self.cache),
        ]
    }
}

impl LimitSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "timeout",
            meaning: "timeout of one call, from when it starts, up to 60s; 0s leaves only the adapter's own limit",
        },
        KeyDoc {
            name: "concurrent",
            meaning: "maximum concurrent calls; 0 leaves only the adapter's own limit",
        },
        KeyDoc {
            name: "waiting",
            meaning: "maximum calls that wait for a permit; further ones are refused",
        },
        KeyDoc {
            name: "wait",
            meaning: "how long a call waits for a permit before it is refused, up to 10s; a call that expects to wait longer than half of it is refused at once",
        },
    ];

    /// The maximum duration of a call, with its wait for a permit.
    pub(super) fn max_duration(&self) -> ConfigDuration {
        ConfigDuration(
            self.bulkhead().map_or(Duration::ZERO, |bulkhead| bulkhead.waiting.max_wait)
                + self.timeout.0,
        )
    }

    /// The settings of the bulkhead; `None` if there is none.
    #[must_use]
    pub fn bulkhead(&self) -> Option<BulkheadSettings> {
        let Self { concurrent, waiting, wait, .. } = *self;
        let waiting = WaitLimits { max_waiting: waiting, max_wait: wait.0 };
        (concurrent > 0).then_some(BulkheadSettings { concurrent, waiting })
    }
}

/// Retries of calls that are safe to repeat: those to the catalog. No other layer retries.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RetrySection {
    pub attempts: u32,
    pub pause: ConfigDuration,
    pub budget: f64,
}

impl Default for RetrySection {
    fn default() -> Self {
        // Enough for a connection closed by a failover or a proxy.
        Self { attempts: 2, pause: ConfigDuration::millis(50), budget: 0.1 }
    }
}

impl RetrySection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "attempts",
            meaning: "maximum attempts at a catalog call that was not executed, 1 to 5; 1 disables retries",
        },
        KeyDoc {
            name: "pause",
            meaning: "maximum pause before the second attempt, up to 1s; the actual pause is random",
        },
        KeyDoc { name: "budget", meaning: "retries earned by each successful call, 0 to 1" },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        require((1..=5).contains(&self.attempts), "retry.attempts", "must be from 1 to 5")?;
        require(self.pause <= ConfigDuration::secs(1), "retry.pause", "must be at most 1s")?;
        require((0.0..=1.0).contains(&self.budget), "retry.budget", "must be from 0 to 1")
    }

    /// The settings of the retries; `None` if disabled.
    #[must_use]
    pub fn settings(&self) -> Option<RetrySettings> {
        let Self { attempts, pause, budget } = *self;
        (attempts > 1).then_some(RetrySettings { attempts, pause: pause.0, budget })
    }
}
