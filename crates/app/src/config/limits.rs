//! `[limits]` and `[retry]`: how long a dependency may take, how much it is asked at once, and how often again.

use std::time::Duration;

use decorators::backlog::Waiting;
use decorators::bulkhead::BulkheadSettings;
use decorators::retry::RetrySettings;
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Span, require};

/// The limits: one set for each kind of question.
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

/// What one kind of question is limited to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct LimitSection {
    pub timeout: Span,
    pub concurrent: u32,
    pub waiting: u32,
    pub wait: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        let shared = |concurrent, waiting| LimitSection {
            timeout: Span::secs(1),
            concurrent,
            waiting,
            // Who is refused is told to come again in a second: who must expect half of that is better off here. Six hundred
            // people at once with a cold cache are served in it at 1,200 answers a second.
            wait: Span::secs(1),
        };
        let alone = |timeout| LimitSection { timeout, ..shared(0, 0) };
        Self {
            // The adapter has its own: `redis.queue.timeout` for a join to find a batch and again for its answer, and
            // `redis.queue.max_under_way`. A second timer around each join is felt (ADR 21).
            queue: alone(Span::secs(0)),
            // Together a little more than the pool has connections, and neither of them all: a slow list cannot keep the
            // dates from the database, nor the other way round.
            concerts: shared(4, 256),
            dates: shared(8, 1_024),
            // Longer than the pool's own limits together, so that a pool that is full is told from a Redis that hangs.
            cache: alone(Span::millis(250)),
        }
    }
}

impl LimitsSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, limit) in self.named() {
            let key = |key: &str| format!("limits.{name}.{key}");
            require(limit.timeout <= Span::secs(60), &key("timeout"), "must be at most 60s")?;
            require(limit.concurrent <= 100_000, &key("concurrent"), "must be at most 100000")?;
            require(limit.waiting <= 100_000, &key("waiting"), "must be at most 100000")?;
            require(limit.wait <= Span::secs(10), &key("wait"), "must be at most 10s")?;
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
            meaning: "time for an answer once it is asked for, up to 60s; 0s is no limit but the adapter's own",
        },
        KeyDoc {
            name: "concurrent",
            meaning: "questions at once, at most; 0 is as many as the adapter takes",
        },
        KeyDoc {
            name: "waiting",
            meaning: "questions that wait for one of those to end; the next one is refused",
        },
        KeyDoc {
            name: "wait",
            meaning: "how long one waits before it is refused, up to 10s; one that must expect more than half of it is refused at once",
        },
    ];

    /// How long a question may take, with its wait for a place.
    pub(super) fn longest(&self) -> Span {
        Span(
            self.bulkhead().map_or(Duration::ZERO, |bulkhead| bulkhead.waiting.longest)
                + self.timeout.0,
        )
    }

    /// The bulkhead, if there is to be one.
    #[must_use]
    pub fn bulkhead(&self) -> Option<BulkheadSettings> {
        let Self { concurrent, waiting, wait, .. } = *self;
        let waiting = Waiting { most: waiting, longest: wait.0 };
        (concurrent > 0).then_some(BulkheadSettings { concurrent, waiting })
    }
}

/// Retries, where asking again is safe: the catalogue and the dates. No other layer retries.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct RetrySection {
    pub attempts: u32,
    pub pause: Span,
    pub budget: f64,
}

impl Default for RetrySection {
    fn default() -> Self {
        // Enough for a connection that a failover or a proxy has closed.
        Self { attempts: 2, pause: Span::millis(50), budget: 0.1 }
    }
}

impl RetrySection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "attempts",
            meaning: "attempts at a question to the catalogue that was not carried out, in all, 1 to 5; 1 is no retry",
        },
        KeyDoc {
            name: "pause",
            meaning: "the longest pause before the second attempt, up to 1s; the actual one is random",
        },
        KeyDoc { name: "budget", meaning: "retries for each question that succeeds, 0 to 1" },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        require((1..=5).contains(&self.attempts), "retry.attempts", "must be from 1 to 5")?;
        require(self.pause <= Span::secs(1), "retry.pause", "must be at most 1s")?;
        require((0.0..=1.0).contains(&self.budget), "retry.budget", "must be from 0 to 1")
    }

    /// Retries, if there are to be any.
    #[must_use]
    pub fn settings(&self) -> Option<RetrySettings> {
        let Self { attempts, pause, budget } = *self;
        (attempts > 1).then_some(RetrySettings { attempts, pause: pause.0, budget })
    }
}
