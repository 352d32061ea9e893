//! The steps of a line, each a call of a script.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::PortError;
use domain::queue::{Bounds, Called, JoinError, Joined, Line, Place, Snapshot, Standing, UserId};
use fred::types::Value;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex as TurnMutex;
use tokio::time::{Instant, timeout};

use crate::address::Address;
use crate::error::Failure;
use crate::joins::{Answers, Carrier};
use crate::keys::Keys;
use crate::link::Replicas;
use crate::memory::{Change, Marks, Memory, Testimony};
use crate::queue::{Durability, RedisQueueSettings};
use crate::redis::{Redis, Via};
use crate::reply::{HIGHEST, Reply, number, timestamp};
use crate::scripts::{ADVANCE, JOIN, RESTORE, Script};

pub(crate) struct Steps {
    redis: Redis,
    keys: Vec<String>,
    settings: RedisQueueSettings,
    memory: Mutex<Memory>,
    /// One look at a time, so that changes are followed in their order. Holds what is still to be told.
    looking: TurnMutex<Option<Untold>>,
}

/// What a Redis that has lost something has not been told of yet.
struct Untold {
    generation: u64,
    rest: Testimony,
    /// The piece that is on its way, told again if that fails.
    piece: Vec<String>,
    told: usize,
}

/// Characters of the longest user id and what stands after it.
const LONGEST_USER: usize = 21;

/// What a node remembers is told in pieces; a piece takes Redis a few milliseconds.
const PIECE: usize = 2_000;
/// Pieces told with one look, which must not take long: people are answered from it.
const PIECES: usize = 10;

/// What Redis knows of a place.
pub(crate) struct Found {
    pub(crate) state: State,
    /// The version of the line this was true at.
    pub(crate) version: u64,
}

pub(crate) enum State {
    Standing(Standing),
    /// The number was never given.
    Unknown,
    /// Somebody else's.
    Foreign,
}

impl Steps {
    pub(crate) fn open(address: Address, settings: RedisQueueSettings) -> Self {
        let keys = Keys::of(settings.queue);
        let redis = Redis::open(keys.line(), address, settings.link);
        Self { redis, keys: keys.all(), settings, memory: Mutex::default(), looking: TurnMutex::default() }
    }

    pub(crate) fn redis(&self) -> &Redis {
        &self.redis
    }

    pub(crate) fn remember(&self) -> Duration {
        self.settings.remember
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
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
            microseconds(self.settings.recovery),
        ])
    }

    /// A step on one place.
    pub(crate) async fn place(&self, script: &Script, place: &Place) -> Result<Found, Failure> {
        let own = [whole(place.number.get()), Value::from(place.user.to_string())];
        let mut reply = self.call(Via::Rest, script, Line::START, own).await?;
        let state = reply.text()?;
        let until = timestamp(reply.integer()?)?;
        let version = reply.count()?;
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
    pub(crate) async fn look(&self, floor: Line, calls: bool) -> Result<Called, Failure> {
        let turn = timeout(self.settings.link.answer, self.looking.lock()).await;
        let mut untold = turn.map_err(|_| Failure::Busy)?;
        let asked = Instant::now();
        let before = self.memory().marks();
        let own = [
            whole(u64::from(calls)),
            whole(before.version),
            Value::Integer(i64::try_from(self.settings.lifetime.as_millis()).unwrap_or(i64::MAX)),
        ];
        let mut reply = self.call(Via::Look, &ADVANCE, floor, own).await?;
        let (generation, version) = (reply.count()?, reply.count()?);
        let line = reply.line()?;
        let at = timestamp(reply.integer()?)?;
        let (count, called, active) = (reply.count()?, reply.count()?, reply.count()?);
        let (standing_from, recovers) = (reply.count()?, reply.count()? == 1);
        let tally = reply.tally()?;
        let changes = reply.texts()?.iter().map(|text| Change::parse(text)).collect::<Result<_, _>>()?;
        let departures = {
            let mut memory = self.memory();
            if generation != before.generation {
                // As it was before: what follows may begin with a gap.
                *untold = Some(Untold::after(untold.take(), memory.testimony(), generation));
            }
            memory.note_line(line);
            memory.follow(changes, Marks { generation, version, standing_from }, at, asked);
            memory.departures(line.serving())
        };
        self.tell(&mut untold).await;
        Ok(Called { count, snapshot: Snapshot { line, departures, called, active, tally, recovers, at } })
    }

    /// Tells a Redis that has lost something a part of what this node remembers. What fails is told with the next look.
    async fn tell(&self, untold: &mut Option<Untold>) {
        for _ in 0..PIECES {
            let Some(testimony) = untold else { return };
            if testimony.next_piece().is_empty() {
                if testimony.told > 0 {
                    tracing::warn!(entries = testimony.told, "redis may have lost something, and was told");
                }
                *untold = None;
                return;
            }
            let entries = testimony.piece.iter().map(|entry| Value::from(entry.as_str()));
            let own: Vec<Value> = std::iter::once(whole(testimony.generation)).chain(entries).collect();
            match self.call(Via::Look, &RESTORE, Line::START, own).await.and_then(|mut reply| reply.integer())
            {
                Ok(1) => testimony.piece_is_told(),
                // Lost again meanwhile: the next look has the generation to tell it for.
                Ok(_) | Err(_) => return,
            }
        }
    }

    async fn join_batch(&self, users: Vec<UserId>, bounds: Bounds) -> Result<Answers, Failure> {
        let replicas = match self.settings.durability {
            Durability::Primary => None,
            // Half of the limit, so that the answer that there is none comes within it.
            Durability::Replicated => Some(Replicas { count: 1, within: self.settings.link.answer / 2 }),
        };
        let own = [whole(bounds.ceiling.min(HIGHEST)), Value::from(listed(&users))];
        let mut reply = self.call(Via::Joins(replicas), &JOIN, bounds.floor, own).await?;
        let line = reply.line()?;
        let mut answers = Answers::with_capacity(users.len());
        while answers.len() < users.len() {
            read_run(&mut reply, line, users.len(), &mut answers)?;
        }
        let mut memory = self.memory();
        memory.note_line(line);
        for (user, answer) in users.iter().zip(&answers) {
            if let Ok(joined) = answer {
                memory.note_joined(*user, joined.number);
            }
        }
        drop(memory);
        Ok(answers)
    }
}

impl Untold {
    /// What is to be told for a new generation: what this node remembers, and what it had not told yet for an older one.
    fn after(before: Option<Self>, testimony: Testimony, generation: u64) -> Self {
        let rest: Testimony = match before {
            Some(before) => Box::new(testimony.chain(before.piece).chain(before.rest)),
            None => testimony,
        };
        Self { generation, rest, piece: Vec::new(), told: 0 }
    }

    /// The piece to tell next; empty when everything was told.
    fn next_piece(&mut self) -> &[String] {
        if self.piece.is_empty() {
            self.piece = self.rest.by_ref().take(PIECE).collect();
        }
        &self.piece
    }

    fn piece_is_told(&mut self) {
        self.told += self.piece.len();
        self.piece.clear();
    }
}

impl Carrier for Steps {
    fn carry(&self, users: Vec<UserId>, bounds: Bounds) -> BoxFuture<'_, Result<Answers, Failure>> {
        Box::pin(self.join_batch(users, bounds))
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

/// Users as the script reads them.
fn listed(users: &[UserId]) -> String {
    let mut text = String::with_capacity(users.len() * LONGEST_USER);
    for user in users {
        // Writing to a string does not fail.
        let _ = write!(text, "{user},");
    }
    text
}

fn whole(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn microseconds(duration: Duration) -> Value {
    Value::Integer(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
