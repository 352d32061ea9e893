//! `[queue]`: the line.

use adapter_redis::Durability;
use adapter_token::{KeyRing, TokenKey};
use domain::queue::{AdmissionPolicy, Pacing, PolicySpec, QueueId};
use serde::{Deserialize, Serialize};

use super::{
    ConfigError, JoinPuzzleMode, KeyDoc, PuzzleSection, Secret, Span, invalid, require, secret,
};

/// Which store keeps the line.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueStoreKind {
    /// This process.
    #[default]
    Memory,
    /// A Redis, for any number of nodes.
    Redis,
}

/// When a join counts as done.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DurabilityKind {
    /// When the primary has it.
    #[default]
    Primary,
    /// When a replica has it too.
    Replicated,
}

impl From<DurabilityKind> for Durability {
    fn from(kind: DurabilityKind) -> Self {
        match kind {
            DurabilityKind::Primary => Self::Primary,
            DurabilityKind::Replicated => Self::Replicated,
        }
    }
}

/// Where the checkpoint is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointStoreKind {
    /// Nowhere.
    #[default]
    None,
    /// In the database.
    Postgres,
}

/// How far the line had come, for the day the store and all nodes are lost together.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct CheckpointSection {
    pub store: CheckpointStoreKind,
    pub reserve: u64,
}

impl Default for CheckpointSection {
    fn default() -> Self {
        Self {
            store: CheckpointStoreKind::default(),
            // At the default rate a line restored from nothing calls so many numbers that may be nobody's in 100 seconds;
            // a rush of 60,000 joins a second uses them in a sixth of one, and the next look reserves more.
            reserve: 10_000,
        }
    }
}

impl CheckpointSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "store",
            meaning: "where it is remembered how far the line has come, in case Redis and all nodes are lost at once: `none`, or `postgres` at `postgres.url`",
        },
        KeyDoc {
            name: "reserve",
            meaning: "numbers reserved beyond the last one, at least, 100 to 10000000: so many may be skipped after such a loss, and so many can be given while the database is down; in a rush more are reserved",
        },
    ];

    fn check(&self) -> Result<(), ConfigError> {
        let expected = "must be from 100 to 10000000";
        require((100..=10_000_000).contains(&self.reserve), "queue.checkpoint.reserve", expected)
    }
}

/// The line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct QueueSection {
    pub id: String,
    pub store: QueueStoreKind,
    #[serde(deserialize_with = "secret::comma_separated")]
    pub keys: Vec<Secret>,
    pub token_ttl: Span,
    pub refresh: Span,
    pub stale_after: Span,
    pub durability: DurabilityKind,
    pub max_waiting_joins: u32,
    pub max_join_wait: Span,
    pub join_puzzle: JoinPuzzleMode,
    pub policy: PolicySection,
    pub poll: PollSection,
    pub checkpoint: CheckpointSection,
    pub puzzle: PuzzleSection,
}

/// How fast people are called.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
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
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
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
            durability: DurabilityKind::default(),
            // More than `overload.joining` lets in: that limit answers first.
            max_waiting_joins: 20_000,
            // On two cores shared with the load generator a node took 11,000 joins a second or more, so all that are
            // let in are served within two seconds.
            max_join_wait: Span::secs(2),
            join_puzzle: JoinPuzzleMode::default(),
            policy: PolicySection::default(),
            poll: PollSection::default(),
            checkpoint: CheckpointSection::default(),
            puzzle: PuzzleSection::default(),
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
        KeyDoc {
            name: "store",
            meaning: "where the line is kept: `memory` of this process, or `redis` at `redis.queue.url`, for any number of nodes",
        },
        KeyDoc {
            name: "keys",
            meaning: "secret token keys: the first signs, all verify; base64 of 32 bytes or more (`boxoffice token new-key`); made at start when there is none; in the environment and in flags separated by commas. With `cache.store = \"redis\"` keys made from them sign the copies that nodes share. To rotate, put the new key last on every node, then first on every node, and take the old one out when its last token has ended",
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
        KeyDoc {
            name: "durability",
            meaning: "with Redis: a join is answered when the `primary` has it, or when it is `replicated`, so that a failover to that replica loses nothing; needs two replicas to go on without one of them",
        },
        KeyDoc {
            name: "max_waiting_joins",
            meaning: "with Redis: joins that wait for the next batch, at most, 100 to 1000000; the next one is refused at once with 503",
        },
        KeyDoc {
            name: "max_join_wait",
            meaning: "with Redis: how long a join waits for the next batch, at most, 10ms to 10s; then it is refused with 503",
        },
        KeyDoc {
            name: "join_puzzle",
            meaning: "whether a client solves a puzzle before it joins (428 `PUZZLE_REQUIRED` until it has): `off`, `on`, or `auto`, when more than `queue.puzzle.from_rate` want to join; joining again with the token of the place takes none; not all clients can solve one: `docs/guide/join-puzzle.md`",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.queue_id()?;
        self.key_ring()?;
        let policy = self.policy.policy()?;
        self.poll.pacing()?;
        self.checkpoint.check()?;
        self.puzzle.check()?;
        let room = (100..=1_000_000).contains(&self.max_waiting_joins);
        require(room, "queue.max_waiting_joins", "must be from 100 to 1000000")?;
        let wait = (Span::millis(10)..=Span::secs(10)).contains(&self.max_join_wait);
        require(wait, "queue.max_join_wait", "must be from 10ms to 10s")?;
        let refreshes = (Span::millis(1)..=Span::secs(10)).contains(&self.refresh);
        require(refreshes, "queue.refresh", "must be from 1ms to 10s")?;
        // The budget saves one batch: a node that looks more rarely calls more slowly than the policy says.
        let keeps_pace = self.refresh.0 * 2 <= policy.spec().every;
        require(keeps_pace, "queue.refresh", "must be at most half of queue.policy.every")?;
        require(
            self.refresh <= self.poll.nearest,
            "queue.refresh",
            "must not be above queue.poll.nearest",
        )?;
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
        QueueId::parse(&self.id)
            .map_err(|error| invalid("queue.id", format!("is no queue id: {error}")))
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
            TokenKey::parse(secret.expose()).map_err(|error| {
                invalid("queue.keys", format!("number {} is no key: {error}", n + 1))
            })
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
            invalid(
                "queue.poll.nearest",
                "must be at least 100ms and not above queue.poll.farthest",
            )
        })
    }
}
