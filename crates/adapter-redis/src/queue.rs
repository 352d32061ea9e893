//! The line in Redis.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::PortError;
use domain::queue::{
    AdmissionPolicy, Bounds, Called, ClaimError, GiveBackError, JoinError, Joined, Line, Place, QueueId,
    QueueStore, Session, Snapshot, Standing, UserId,
};
use fred::types::Value;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::address::Address;
use crate::error::Failure;
use crate::joins::{Answers, Batching, Carrier, Joins};
use crate::keys::Keys;
use crate::link::{LinkSettings, Replicas};
use crate::memory::{Change, Marks, Memory};
use crate::redis::{Redis, Via};
use crate::reply::{HIGHEST, Reply, number, timestamp};
use crate::scripts::{ADVANCE, CLAIM, GIVE_BACK, JOIN, RESTORE, STANDING, Script};

/// When a join counts as done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// When the primary has it. A primary that dies may take the last joins with it: those people ask again and get
    /// other numbers; no number is given twice all the same.
    #[default]
    Primary,
    /// When a replica has it too.
    Replicated,
}

/// What a [`RedisQueue`] is made of.
#[derive(Clone, Debug)]
pub struct RedisQueueSettings {
    /// The queue it keeps.
    pub queue: QueueId,
    /// The policy it keeps; the same on every node.
    pub policy: AdmissionPolicy,
    /// When a join counts as done.
    pub durability: Durability,
    /// How joins are gathered.
    pub batching: Batching,
    /// Everything but the line's two integers is forgotten so long after the last step: the lifetime of a token.
    pub lifetime: Duration,
    /// A session this node knows of is answered for without asking, if changes were heard of no longer ago than this.
    pub remember: Duration,
    /// Limits of the connections.
    pub link: LinkSettings,
}

/// One line in Redis, seen from one node. Any number of nodes may keep the same line, each with its own value of this.
pub struct RedisQueue {
    shared: Arc<Shared>,
    joins: Joins<Shared>,
}

struct Shared {
    redis: Redis,
    keys: Vec<String>,
    settings: RedisQueueSettings,
    memory: Mutex<Memory>,
}

/// How long nobody is called and no new number is given after a loss, and after a restart or failover, which may be one that
/// nobody has noticed yet: so long every node has to tell what it remembers.
/// Twenty looks at the line as nodes take them by default.
const RECOVERY: Duration = Duration::from_secs(2);
/// What a node remembers is told in pieces; a piece takes Redis a few milliseconds.
const PIECE: usize = 2_000;

impl RedisQueue {
    /// A line at this address, connected to in the background. Must be called inside the runtime that is to run its tasks,
    /// which must live as long as this does.
    #[must_use]
    pub fn open(address: Address, settings: RedisQueueSettings) -> Self {
        let keys = Keys::of(settings.queue);
        let redis = Redis::open(keys.line(), address, settings.link);
        let (batching, keys) = (settings.batching, keys.all());
        let shared = Arc::new(Shared { redis, keys, settings, memory: Mutex::default() });
        Self { joins: Joins::new(Arc::clone(&shared), batching), shared }
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.shared.redis
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a script with what every script is told first; see `lua/line.lua`.
    async fn call(
        &self,
        via: Via,
        script: &Script,
        floor: Line,
        own: impl IntoIterator<Item = Value>,
    ) -> Result<Reply, Failure> {
        let (marks, floor) = {
            let memory = self.memory();
            (memory.marks(), memory.line().raised_to(floor))
        };
        let mut arguments = self.common_arguments(marks, floor)?;
        arguments.extend(own);
        Reply::new(self.redis.call(via, script, &self.keys, arguments).await?)
    }

    fn common_arguments(&self, marks: Marks, floor: Line) -> Result<Vec<Value>, Failure> {
        if floor.last() > HIGHEST {
            return Err(Failure::Corrupt("a number higher than scripts can count"));
        }
        let policy = self.settings.policy.spec();
        // Nanoseconds rounded up, as in `domain::queue::CallBudget`, so that the rate is never above the policy's.
        let cost = policy.every.as_nanos().div_ceil(u128::from(policy.batch));
        Ok(vec![
            whole(floor.last()),
            whole(floor.serving()),
            whole(marks.generation),
            whole(marks.version),
            whole(marks.standing_from),
            whole(policy.batch.into()),
            Value::from(format!("{}.{:03}", cost / 1_000, cost % 1_000)),
            whole(policy.max_active.into()),
            microseconds(policy.claim_within),
            microseconds(policy.session_ttl),
            whole(policy.max_waiting.into()),
            microseconds(RECOVERY),
        ])
    }

    async fn place(&self, script: &Script, place: &Place) -> Result<Found, Failure> {
        let own = [whole(place.number.get()), Value::from(place.user.to_string())];
        let mut reply = self.call(Via::Rest, script, Line::START, own).await?;
        let state = reply.text()?;
        let until = timestamp(reply.integer()?)?;
        let (_generation, version) = (reply.count()?, reply.count()?);
        self.memory().note_line(reply.line()?);
        let state = match state.as_str() {
            "WAITING" => State::Standing(Standing::Waiting),
            "CALLED" => State::Standing(Standing::Called { until }),
            "ACTIVE" => State::Standing(Standing::Active { until }),
            "GONE" => State::Standing(Standing::Gone),
            "UNKNOWN" => State::Unknown,
            "FOREIGN" => State::Foreign,
            _ => return Err(Failure::Corrupt("no state of a place")),
        };
        Ok(Found { state, version })
    }

    /// One look at the line, with or without calling people.
    async fn look(&self, floor: Line, calls: bool) -> Result<Called, Failure> {
        let asked = Instant::now();
        let before = self.memory().marks();
        let own = [
            whole(u64::from(calls)),
            whole(before.version),
            Value::Integer(i64::try_from(self.settings.lifetime.as_millis()).unwrap_or(i64::MAX)),
        ];
        let mut reply = self.call(Via::Rest, &ADVANCE, floor, own).await?;
        let (generation, version) = (reply.count()?, reply.count()?);
        let line = reply.line()?;
        let at = timestamp(reply.integer()?)?;
        let (count, called, active) = (reply.count()?, reply.count()?, reply.count()?);
        let (standing_from, _lost) = (reply.count()?, reply.count()?);
        let changes = reply.texts()?.iter().map(|text| Change::parse(text)).collect::<Result<_, _>>()?;
        if generation != before.generation {
            self.restore(generation).await?;
        }
        let mut memory = self.memory();
        memory.note_line(line);
        memory.follow(changes, Marks { generation, version, standing_from }, at, asked);
        let departures = memory.departures(line.serving());
        Ok(Called { count, snapshot: Snapshot { line, departures, called, active, at } })
    }

    /// Tells a Redis that has lost something what this node remembers.
    async fn restore(&self, generation: u64) -> Result<(), Failure> {
        let testimony = self.memory().testimony();
        for piece in testimony.chunks(PIECE) {
            let entries = piece.iter().map(|entry| Value::from(entry.as_str()));
            let own = std::iter::once(whole(generation)).chain(entries);
            let mut reply = self.call(Via::Rest, &RESTORE, Line::START, own).await?;
            let (_generation, _version, _line) = (reply.count()?, reply.count()?, reply.line()?);
            if reply.integer()? != 1 {
                return Err(Failure::NotYet("it lost something again".to_owned()));
            }
        }
        if !testimony.is_empty() {
            tracing::warn!(generation, entries = testimony.len(), "redis had lost something, and was told");
        }
        Ok(())
    }

    async fn join_batch(&self, users: Vec<UserId>, bounds: Bounds) -> Result<Answers, Failure> {
        let replicas = match self.settings.durability {
            Durability::Primary => None,
            // Half of the limit, so that the answer that there is none comes within it.
            Durability::Replicated => Some(Replicas { count: 1, within: self.settings.link.answer / 2 }),
        };
        let own = std::iter::once(whole(bounds.ceiling.min(HIGHEST)))
            .chain(users.iter().map(|user| Value::from(user.to_string())));
        let mut reply = self.call(Via::Joins(replicas), &JOIN, bounds.floor, own).await?;
        let _generation = reply.count()?;
        let line = reply.line()?;
        let _now = reply.integer()?;
        let mut answers = Answers::with_capacity(users.len());
        while answers.len() < users.len() {
            read_run(&mut reply, line, users.len(), &mut answers)?;
        }
        let mut memory = self.memory();
        memory.note_line(line);
        for (user, answer) in users.iter().zip(&answers) {
            if let Ok(Joined { number, rejoined: false, .. }) = answer {
                memory.note_joined(*user, *number);
            }
        }
        drop(memory);
        Ok(answers)
    }
}

/// Users who were given the like, of the answer to a batch of `users`.
fn read_run(reply: &mut Reply, line: Line, users: usize, answers: &mut Answers) -> Result<(), Failure> {
    let (length, first) = (reply.count()?, reply.integer()?);
    let (rejoined, ends) = (reply.integer()? == 1, reply.integer()?);
    let fits = length >= 1 && length <= (users - answers.len()) as u64;
    if !fits {
        return Err(Failure::Corrupt("more answers than users"));
    }
    let standing = match ends {
        0 => Standing::Waiting,
        1.. => Standing::Called { until: timestamp(ends)? },
        _ => Standing::Active { until: timestamp(-ends)? },
    };
    for n in 0..length.cast_signed() {
        answers.push(match first {
            0 => Err(JoinError::LineFull),
            -1 => Err(JoinError::AboveCeiling),
            -2 => Err(PortError::from(Failure::NotYet("the line is being restored".to_owned())).into()),
            _ => Ok(Joined { number: number(first + n)?, rejoined, standing, line }),
        });
    }
    Ok(())
}

impl Carrier for Shared {
    fn carry(&self, users: Vec<UserId>, bounds: Bounds) -> BoxFuture<'_, Result<Answers, Failure>> {
        Box::pin(self.join_batch(users, bounds))
    }
}

/// What Redis knows of a place.
struct Found {
    state: State,
    /// The version of the line this was true at.
    version: u64,
}

enum State {
    Standing(Standing),
    /// The number was never given.
    Unknown,
    /// Somebody else's.
    Foreign,
}

fn whole(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn microseconds(duration: Duration) -> Value {
    Value::Integer(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

#[async_trait]
impl QueueStore for RedisQueue {
    async fn join(&self, user: UserId, bounds: Bounds) -> Result<Joined, JoinError> {
        self.joins.join(user, bounds).await
    }

    async fn call_next(&self, floor: Line) -> Result<Called, PortError> {
        Ok(self.shared.look(floor, true).await?)
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        Ok(self.shared.look(floor, false).await?.snapshot)
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        if let Some(session) = self.remembered(place) {
            return Ok(Standing::Active { until: session.until });
        }
        match self.shared.place(&STANDING, place).await?.state {
            State::Standing(standing) => Ok(standing),
            State::Unknown => Ok(Standing::Waiting),
            State::Foreign => Ok(Standing::Gone),
        }
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        if let Some(session) = self.remembered(place) {
            return Ok(session);
        }
        let found = self.shared.place(&CLAIM, place).await.map_err(PortError::from)?;
        match found.state {
            State::Standing(Standing::Active { until } | Standing::Called { until }) => {
                let session = Session { number: place.number, user: place.user, until };
                self.shared.memory().note_session(session, found.version);
                Ok(session)
            }
            State::Standing(Standing::Waiting) => Err(ClaimError::NotYet),
            State::Standing(Standing::Gone) => Err(ClaimError::Gone),
            State::Unknown => Err(ClaimError::NotFound),
            State::Foreign => Err(ClaimError::NotHolder),
        }
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        // From here on the session may be over, whatever the answer.
        self.shared.memory().note_given_back(place);
        match self.shared.place(&GIVE_BACK, place).await.map_err(PortError::from)?.state {
            State::Standing(Standing::Gone) => Err(GiveBackError::Gone),
            State::Standing(was) => {
                self.shared.memory().note_taken_back(place, was == Standing::Waiting);
                Ok(())
            }
            State::Unknown => Err(GiveBackError::NotFound),
            State::Foreign => Err(GiveBackError::NotHolder),
        }
    }
}

impl RedisQueue {
    fn remembered(&self, place: &Place) -> Option<Session> {
        self.shared.memory().session(place, self.shared.settings.remember)
    }
}
