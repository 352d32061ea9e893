//! `[queue]`: the queue.

use adapter_redis::Durability;
use adapter_token::{KeyRing, TokenKey};
use domain::queue::{AdmissionPolicy, PolicySpec, PollInterval, QueueId};
use serde::{Deserialize, Serialize};

use super::{
    ConfigDuration, ConfigError, JoinPuzzleMode, KeyDoc, PuzzleSection, Secret, invalid, require,
    secret,
};

/// The store of the queue.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueStoreKind {
    /// This process.
    #[default]
    Memory,
    /// A Redis, for any number of nodes.
    Redis,
}

/// When a join is acknowledged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DurabilityKind {
    /// When the primary has stored it.
    #[default]
    Primary,
    /// When a replica has stored it too.
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

/// The store of the checkpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointStoreKind {
    /// Nowhere.
    #[default]
    None,
    /// In the database.
    Postgres,
}

/// The saved progress of the queue, in case the store and all nodes are lost together.
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
            // At the default rate, a queue restored from the checkpoint spends 100 seconds on
            // calling this many numbers, which may belong to no user. A burst of 60,000 joins a
            // second uses them in a sixth of a second, and the next refresh reserves more.
            reserve: 10_000,
        }
    }
}

impl CheckpointSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "store",
            meaning: "store of the queue's progress, in case Redis and all nodes are lost at once: `none`, or `postgres` at `postgres.url`",
        },
        KeyDoc {
            name: "reserve",
            meaning: "minimum count of numbers reserved beyond the last one, 100 to 10000000: up to this many are skipped after such a loss, and at least this many can be issued while the database is down; a burst of joins reserves more",
        },
    ];

    fn check(&self) -> Result<(), ConfigError> {
        let expected = "must be from 100 to 10000000";
        require((100..=10_000_000).contains(&self.reserve), "queue.checkpoint.reserve", expected)
    }
}

/// The queue.
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
    pub token_ttl: ConfigDuration,
    pub refresh: ConfigDuration,
    pub stale_after: ConfigDuration,
    pub durability: DurabilityKind,
    pub max_waiting_joins: u32,
    pub max_join_wait: ConfigDuration,
    pub join_puzzle: JoinPuzzleMode,
    pub policy: PolicySection,
    pub poll: PollSection,
    pub checkpoint: CheckpointSection,
    pub puzzle: PuzzleSection,
}

/// The rate at which users are called.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PolicySection {
    pub batch: u32,
    pub every: ConfigDuration,
    pub max_active: u32,
    pub claim_within: ConfigDuration,
    pub session_ttl: ConfigDuration,
    pub max_waiting: u32,
}

/// How often clients should poll.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct PollSection {
    pub nearest: ConfigDuration,
    pub farthest: ConfigDuration,
}

impl Default for QueueSection {
    fn default() -> Self {
        Self {
            id: "main".to_owned(),
            store: QueueStoreKind::default(),
            keys: Vec::new(),
            token_ttl: ConfigDuration::secs(24 * 3_600),
            refresh: ConfigDuration::millis(100),
            // Ten missed refreshes: this node no longer knows the state of the queue. Not longer,
            // because every node must notice a released place within a second.
            stale_after: ConfigDuration::secs(1),
            durability: DurabilityKind::default(),
            // More than `overload.joining` admits, so that limit applies first.
            max_waiting_joins: 20_000,
            // On two cores shared with the load generator a node processed at least 11,000 joins a
            // second, so all admitted joins are served within two seconds.
            max_join_wait: ConfigDuration::secs(2),
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
            every: ConfigDuration(spec.every),
            max_active: spec.max_active,
            claim_within: ConfigDuration(spec.claim_within),
            session_ttl: ConfigDuration(spec.session_ttl),
            max_waiting: spec.max_waiting,
        }
    }
}

impl Default for PollSection {
    fn default() -> Self {
        Self { nearest: ConfigDuration::secs(1), farthest: ConfigDuration::secs(30) }
    }
}

impl QueueSection {
    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "id",
            meaning: "name of the queue: 1 to 32 characters of `a-z`, `0-9`, `-`; tokens of another queue are refused, so use a new id for the next sale",
        },
        KeyDoc {
            name: "store",
            meaning: "store of the queue: `memory` of this process, or `redis` at `redis.queue.url`, for any number of nodes",
        },
        KeyDoc {
            name: "keys",
            meaning: "secret token keys: the first signs, all verify; base64 of at least 32 bytes (`boxoffice token new-key`); generated at start if there is none; comma-separated in the environment and in flags. With `cache.store = \"redis\"`, keys derived from them sign the shared cache entries. To rotate, add the new key last on every node, then move it first on every node, and remove the old one once its last token has expired",
        },
        KeyDoc {
            name: "token_ttl",
            meaning: "maximum age of a token before it counts as one of a past sale (410); joining again issues a new one",
        },
        KeyDoc {
            name: "refresh",
            meaning: "interval at which users are called and the node's view is refreshed; 1ms to 10s, at most half of `queue.policy.every`, and not above `queue.poll.nearest`",
        },
        KeyDoc {
            name: "stale_after",
            meaning: "maximum age of the node's view before responses contain `\"stale\":true` and no user can start a session (503); at least three times `queue.refresh`, at most 60s",
        },
        KeyDoc {
            name: "durability",
            meaning: "with Redis: a join is acknowledged once the `primary` has it, or once it is `replicated`, so that a failover to that replica loses nothing; needs two replicas to continue without one of them",
        },
        KeyDoc {
            name: "max_waiting_joins",
            meaning: "with Redis: maximum joins that wait for the next batch, 100 to 1000000; further ones are refused at once with 503",
        },
        KeyDoc {
            name: "max_join_wait",
            meaning: "with Redis: how long a join waits for the next batch, 10ms to 10s; then it is refused with 503",
        },
        KeyDoc {
            name: "join_puzzle",
            meaning: "whether a client must solve a puzzle before it joins (428 `PUZZLE_REQUIRED` until it has): `off`, `on`, or `auto`, while the rate of join attempts exceeds `queue.puzzle.from_rate`; joining again with the token of the place needs none; not all clients can solve puzzles: `docs/guide/join-puzzle.md`",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.queue_id()?;
        self.key_ring()?;
        let policy = self.policy.policy()?;
        self.poll.poll_interval()?;
        self.checkpoint.check()?;
        self.puzzle.check()?;
        let room = (100..=1_000_000).contains(&self.max_waiting_joins);
        require(room, "queue.max_waiting_joins", "must be from 100 to 1000000")?;
        let wait =
            (ConfigDuration::millis(10)..=ConfigDuration::secs(10)).contains(&self.max_join_wait);
        require(wait, "queue.max_join_wait", "must be from 10ms to 10s")?;
        let refreshes =
            (ConfigDuration::millis(1)..=ConfigDuration::secs(10)).contains(&self.refresh);
        require(refreshes, "queue.refresh", "must be from 1ms to 10s")?;
        // The budget accumulates at most one batch, so a node that refreshes more rarely calls more
        // slowly than the policy.
        let keeps_pace = self.refresh.0 * 2 <= policy.spec().every;
        require(keeps_pace, "queue.refresh", "must be at most half of queue.policy.every")?;
        require(
            self.refresh <= self.poll.nearest,
            "queue.refresh",
            "must not be above queue.poll.nearest",
        )?;
        let notices = (ConfigDuration(self.refresh.0 * 3)..=ConfigDuration::secs(60))
            .contains(&self.stale_after);
        require(notices, "queue.stale_after", "must be from three times queue.refresh to 60s")?;
        let outlives = self.token_ttl.0 >= policy.spec().claim_within + policy.spec().session_ttl;
        require(
            outlives,
            "queue.token_ttl",
            "must be at least queue.policy.claim_within and session_ttl together",
        )?;
        // A fifth of jitter is added to the longest wait.
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
            .map_err(|error| invalid("queue.id", format!("is not a queue id: {error}")))
    }

    /// The configured keys; `None` if there are none.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key's position, never its text.
    pub fn key_ring(&self) -> Result<Option<KeyRing>, ConfigError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let parse = |(n, secret): (usize, &Secret)| {
            TokenKey::parse(secret.expose()).map_err(|error| {
                invalid("queue.keys", format!("number {} is not a key: {error}", n + 1))
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
        KeyDoc { name: "batch", meaning: "users called per interval, 1 to 1000000" },
        KeyDoc { name: "every", meaning: "the interval, 1ms to 1h" },
        KeyDoc {
            name: "max_active",
            meaning: "maximum of sessions plus unclaimed calls; the default never slows the default rate",
        },
        KeyDoc { name: "claim_within", meaning: "how long a call is valid before it lapses" },
        KeyDoc { name: "session_ttl", meaning: "how long a session lasts from its claim" },
        KeyDoc {
            name: "max_waiting",
            meaning: "maximum numbers that wait at once; then joining is 503 `LINE_FULL`",
        },
    ];

    /// The validated policy.
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
            meaning: "poll interval of clients at the front, before jitter of up to a fifth in either direction; at least 100ms",
        },
        KeyDoc {
            name: "farthest",
            meaning: "poll interval of clients at the far end; with its jitter below `queue.policy.claim_within`",
        },
    ];

    /// The validated poll intervals.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn poll_interval(&self) -> Result<PollInterval, ConfigError> {
        PollInterval::new(self.nearest.0, self.farthest.0).map_err(|_| {
            invalid(
                "queue.poll.nearest",
                "must be at least 100ms and not above queue.poll.farthest",
            )
        })
    }
}
