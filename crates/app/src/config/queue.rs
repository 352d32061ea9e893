//! `[queue]`: the line.

use adapter_token::{KeyRing, TokenKey};
use domain::queue::{AdmissionPolicy, Pacing, PolicySpec, QueueId};
use serde::{Deserialize, Serialize};

use super::{ConfigError, KeyDoc, Secret, Span, invalid, require, secret};

/// Which store keeps the line.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueStoreKind {
    /// This process.
    #[default]
    Memory,
}

/// The line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct QueueSection {
    pub id: String,
    pub store: QueueStoreKind,
    #[serde(deserialize_with = "secret::one_or_many")]
    pub keys: Vec<Secret>,
    pub token_ttl: Span,
    pub refresh: Span,
    pub stale_after: Span,
    pub policy: PolicySection,
    pub poll: PollSection,
}

/// How fast people are called.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct PolicySection {
    pub batch: u32,
    pub every: Span,
    pub max_active: u32,
    pub claim_within: Span,
    pub session_ttl: Span,
    pub max_waiting: u32,
}

/// How often people should ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are documented in KEYS, from which the reference is printed")]
pub struct PollSection {
    pub nearest: Span,
    pub farthest: Span,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self {
            id: "main".to_owned(),
            store: QueueStoreKind::default(),
            keys: Vec::new(),
            token_ttl: Span::secs(24 * 3_600),
            refresh: Span::millis(100),
            // Ten looks missed: this node has lost sight of the line. Not longer, since a place given back must be seen to
            // be so everywhere within a second.
            stale_after: Span::secs(1),
            policy: PolicySection::default(),
            poll: PollSection::default(),
        }
    }
}

impl Default for PolicySection {
    fn default() -> Self {
        let spec = PolicySpec::default();
        Self {
            batch: spec.batch,
            every: Span(spec.every),
            max_active: spec.max_active,
            claim_within: Span(spec.claim_within),
            session_ttl: Span(spec.session_ttl),
            max_waiting: spec.max_waiting,
        }
    }
}

impl Default for PollSection {
    fn default() -> Self {
        Self { nearest: Span::secs(1), farthest: Span::secs(30) }
    }
}

impl QueueSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "id",
            meaning: "name of the queue: 1 to 32 characters of `a-z`, `0-9`, `-`; tokens of another are refused, so the next sale should take another id",
        },
        KeyDoc { name: "store", meaning: "where the line is kept: `memory`" },
        KeyDoc {
            name: "keys",
            meaning: "secret token keys, newest first: the first signs, all verify; base64 of 32 bytes or more (`boxoffice token new-key`); made at start when there is none; in the environment separated by commas",
        },
        KeyDoc {
            name: "token_ttl",
            meaning: "how old a token may be before it counts as one of a sale that is over (410); joining again gives a fresh one",
        },
        KeyDoc {
            name: "refresh",
            meaning: "how often people are called and the node's view is refreshed; 1ms to 10s, at most half of `queue.policy.every`, and not above `queue.poll.nearest`",
        },
        KeyDoc {
            name: "stale_after",
            meaning: "how old the node's view may be before answers say `\"stale\":true` and nobody is let in (503); at least three times `queue.refresh`, at most 60s",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.queue_id()?;
        self.key_ring()?;
        let policy = self.policy.policy()?;
        self.poll.pacing()?;
        let refreshes = (Span::millis(1)..=Span::secs(10)).contains(&self.refresh);
        require(refreshes, "queue.refresh", "must be from 1ms to 10s")?;
        // The budget saves one batch: a node that looks more rarely calls more slowly than the policy says.
        let keeps_pace = self.refresh.0 * 2 <= policy.spec().every;
        require(keeps_pace, "queue.refresh", "must be at most half of queue.policy.every")?;
        require(self.refresh <= self.poll.nearest, "queue.refresh", "must not be above queue.poll.nearest")?;
        let notices = (Span(self.refresh.0 * 3)..=Span::secs(60)).contains(&self.stale_after);
        require(notices, "queue.stale_after", "must be from three times queue.refresh to 60s")?;
        let outlives = self.token_ttl.0 >= policy.spec().claim_within + policy.spec().session_ttl;
        require(
            outlives,
            "queue.token_ttl",
            "must be at least queue.policy.claim_within and session_ttl together",
        )?;
        // A fifth of jitter comes on top of the longest wait.
        let sees_call = self.poll.farthest.0.mul_f64(1.2) < policy.spec().claim_within;
        require(
            sees_call,
            "queue.poll.farthest",
            "must be well below queue.policy.claim_within, or calls lapse unseen",
        )
    }

    /// The queue's name.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn queue_id(&self) -> Result<QueueId, ConfigError> {
        QueueId::parse(&self.id).map_err(|error| invalid("queue.id", format!("is no queue id: {error}")))
    }

    /// The configured keys; `None` when there are none.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key's position, never its text.
    pub fn key_ring(&self) -> Result<Option<KeyRing>, ConfigError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let parse = |(n, secret): (usize, &Secret)| {
            TokenKey::parse(secret.expose())
                .map_err(|error| invalid("queue.keys", format!("number {} is no key: {error}", n + 1)))
        };
        let keys = self.keys.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        KeyRing::new(keys)
            .map(Some)
            .map_err(|error| invalid("queue.keys", format!("cannot be used: {error}")))
    }
}

impl PolicySection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc { name: "batch", meaning: "people called per interval, 1 to 1000000" },
        KeyDoc { name: "every", meaning: "the interval, 1ms to 1h" },
        KeyDoc {
            name: "max_active",
            meaning: "sessions plus calls not claimed yet, at most; the default never slows the default rate",
        },
        KeyDoc { name: "claim_within", meaning: "how long a call stands before it lapses" },
        KeyDoc { name: "session_ttl", meaning: "how long a session lasts from its claim" },
        KeyDoc {
            name: "max_waiting",
            meaning: "numbers that may wait at once; then joining is 503 `LINE_FULL`",
        },
    ];

    /// The checked policy.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn policy(&self) -> Result<AdmissionPolicy, ConfigError> {
        let spec = PolicySpec {
            batch: self.batch,
            every: self.every.0,
            max_active: self.max_active,
            claim_within: self.claim_within.0,
            session_ttl: self.session_ttl.0,
            max_waiting: self.max_waiting,
        };
        AdmissionPolicy::new(spec)
            .map_err(|error| invalid(&format!("queue.policy.{}", error.field), error.expected))
    }
}

impl PollSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "nearest",
            meaning: "what people at the front are told to wait between two questions, before a fifth of jitter to either side; at least 100ms",
        },
        KeyDoc {
            name: "farthest",
            meaning: "the same far back; with its jitter below `queue.policy.claim_within`",
        },
    ];

    /// The checked pacing.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn pacing(&self) -> Result<Pacing, ConfigError> {
        Pacing::new(self.nearest.0, self.farthest.0).map_err(|_| {
            invalid("queue.poll.nearest", "must be at least 100ms and not above queue.poll.farthest")
        })
    }
}
