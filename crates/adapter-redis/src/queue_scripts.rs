//! The steps of a queue, each a call of a script.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::PortError;
use domain::queue::{
    Called, Changes, Checkpoint, Expiry, Incarnation, Incarnations, JoinError, Joined, NodeId,
    NumberBounds, PlaceStatus, QueueCounters, QueueNumber, QueueTime, Refresh, Replica, Shown,
    Snapshot, TokenClaims, Whole, Witness,
};
use fred::bytes::Bytes;
use fred::types::Value;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex as TurnMutex, MutexGuard as TurnGuard};
use tokio::time::{Instant, timeout};

use crate::address::RedisAddress;
use crate::connection::Replicas;
use crate::error::Failure;
use crate::join_batcher::{Answers, BatchExecutor, Joiner};
use crate::keys::Keys;
use crate::queue_client::{CommandClass, QueueClient};
use crate::queue_reply::{Reply, VacantPage, bytes_of, number};
use crate::replay::Replay;
use crate::scripts::{JOIN, PLACES, REPLAY, SETTLE, Script, TICK, VACANT};
use crate::settings::{Durability, RedisQueueSettings};

pub(crate) struct QueueScripts {
    redis: QueueClient,
    keys: Vec<String>,
    settings: RedisQueueSettings,
    local: Mutex<Local>,
    /// One refresh at a time, so that changes are applied in order.
    refreshing: TurnMutex<Refreshing>,
}

#[derive(Default)]
struct Refreshing {
    /// Entries still to be replayed.
    replay: Option<Replay>,
    /// The last snapshot, and when its refresh began. It serves all callers that were waiting for
    /// the lock by then.
    last: Option<(Instant, Snapshot)>,
}

/// This node's view of the queue.
pub(crate) struct Local {
    pub(crate) replica: Replica,
    /// The incarnations that the replica knows, in the text form of the scripts.
    lives: (Incarnations, Value),
    /// The last refresh: when it began, and the queue's time it returned.
    seen: Option<(Instant, QueueTime)>,
}

impl Local {
    /// The incarnations that this node knows, in the text form of the scripts.
    fn lives(&mut self) -> Value {
        let known = self.replica.witness().incarnations;
        if self.lives.0 != known {
            self.lives = (known, lives_as_text(known));
        }
        self.lives.1.clone()
    }

    /// The session of this place, if it certainly runs: the last refresh began at most `fresh` ago.
    pub(crate) fn session(&self, place: &TokenClaims, fresh: Duration) -> Option<Expiry> {
        let (begun, at) = self.seen?;
        let age = begun.elapsed();
        // The queue's time never runs faster than this clock, so this is at least the current time.
        let now = at + age;
        let until = self.replica.session(place, now).filter(|_| age <= fresh)?;
        Some(Expiry::new(until, now))
    }
}

/// How long one refresh replays pieces, since users are served from its snapshot.
const REPLAY_FOR: Duration = Duration::from_millis(300);

/// Keys that grow with the number of users are kept for this many token lifetimes after the last
/// refresh. By then no node uses them, and clock steps of that size are very rare.
const LIFETIMES_KEPT: u32 = 30;

/// Redis rejects an expiry beyond the range of its clock.
const LONGEST_KEPT: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// The state of a place in Redis.
pub(crate) struct Found {
    pub(crate) state: State,
    /// The version of the queue at which this was true.
    pub(crate) version: u64,
}

pub(crate) enum State {
    PlaceStatus(PlaceStatus),
    /// The number was never given.
    Unknown,
    /// The number belongs to another user.
    Foreign,
}

impl QueueScripts {
    pub(crate) fn open(address: RedisAddress, settings: RedisQueueSettings) -> Self {
        let keys = Keys::of(settings.queue);
        let redis = QueueClient::open(keys.counters(), address, settings.connection);
        // Each `RandomState` has a new seed. Lua is exact only to 2^53, but the id is only compared
        // as text.
        let node = NodeId(RandomState::new().hash_one(0));
        let replica =
            Replica::new(node, settings.needs_checkpoint, settings.policy.spec().session_ttl);
        let lives = (Incarnations::default(), lives_as_text(Incarnations::default()));
        let local = Mutex::new(Local { replica, lives, seen: None });
        Self { redis, keys: keys.all(), settings, local, refreshing: TurnMutex::default() }
    }

    pub(crate) fn redis(&self) -> &QueueClient {
        &self.redis
    }

    pub(crate) fn remember(&self) -> Duration {
        self.settings.remember
    }

    pub(crate) fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a script with the arguments that all scripts share; see `lua/begin.lua`.
    async fn call(
        &self,
        via: CommandClass,
        script: &Script,
        floor: QueueCounters,
        own: impl IntoIterator<Item = Value>,
    ) -> Result<Reply, Failure> {
        let known = || {
            let mut local = self.local();
            let (mut witness, lives) = (local.replica.witness(), local.lives());
            drop(local);
            witness.counters = witness.counters.raised_to(floor);
            self.common_arguments(&witness, lives)
        };
        self.send(via, script, known, own.into_iter().collect()).await
    }

    /// The same, on behalf of a node with this knowledge.
    async fn call_as(
        &self,
        witness: &Witness,
        via: CommandClass,
        script: &Script,
        own: impl IntoIterator<Item = Value>,
    ) -> Result<Reply, Failure> {
        let known = || self.common_arguments(witness, lives_as_text(witness.incarnations));
        self.send(via, script, known, own.into_iter().collect()).await
    }

    /// Calls a script, or its second form if the server is at the limit of its memory.
    async fn send(
        &self,
        via: CommandClass,
        script: &Script,
        known: impl Fn() -> Result<Vec<Value>, Failure>,
        own: Vec<Value>,
    ) -> Result<Reply, Failure> {
        let Some(at_limit) = &script.at_limit else {
            return Reply::new(self.redis.call(via, script, &self.keys, known, own).await?);
        };
        let answer = match self.redis.call(via, script, &self.keys, &known, own.clone()).await {
            Err(failure) if failure.is_out_of_memory() => {
                self.redis.call(via, at_limit, &self.keys, known, own).await
            }
            answer => answer,
        };
        Reply::new(answer?)
    }

    fn common_arguments(&self, witness: &Witness, lives: Value) -> Result<Vec<Value>, Failure> {
        if witness.counters.last() > QueueNumber::MAX {
            return Err(Failure::Corrupt("a number above the maximum"));
        }
        let policy = self.settings.policy.spec();
        // Nanoseconds rounded up, as in `domain::queue::CallBudget`, so that the rate never exceeds
        // the policy's.
        let cost = policy.every.as_nanos().div_ceil(u128::from(policy.batch));
        Ok(vec![
            Value::from(witness.node.0.to_string()),
            whole(witness.counters.last()),
            whole(witness.counters.serving()),
            whole(witness.generation),
            whole(witness.replayed),
            whole(witness.version),
            whole(witness.seen),
            whole(witness.time.as_micros()),
            whole(witness.calls_from),
            flag(witness.needs_checkpoint),
            whole(policy.batch.into()),
            Value::from(format!("{}.{:03}", cost / 1_000, cost % 1_000)),
            whole(policy.max_active.into()),
            microseconds(policy.claim_within),
            microseconds(policy.session_ttl),
            whole(policy.max_waiting.into()),
            microseconds(self.settings.recovery),
            lives,
        ])
    }

    /// Runs a step on one place.
    pub(crate) async fn place(
        &self,
        script: &Script,
        place: &TokenClaims,
    ) -> Result<Found, Failure> {
        let user = Bytes::copy_from_slice(&bytes_of(place.user));
        let own = [whole(place.number.get()), Value::Bytes(user), whole(place.incarnation.get())];
        let mut reply = self.call(CommandClass::Rest, script, QueueCounters::START, own).await?;
        let state = reply.text()?;
        let (ends, now) = (reply.time()?, reply.time()?);
        let version = reply.count()?;
        let counters = reply.counters()?;
        {
            let mut local = self.local();
            local.replica.note_counters(counters);
            local.replica.note_version(version);
        }
        let until = Expiry::new(ends, now);
        let state = match state.as_str() {
            "WAITING" => State::PlaceStatus(PlaceStatus::Waiting),
            "CALLED" => State::PlaceStatus(PlaceStatus::Called { until }),
            "ACTIVE" => State::PlaceStatus(PlaceStatus::Active { until }),
            "GONE" => State::PlaceStatus(PlaceStatus::Gone),
            "UNKNOWN" => State::Unknown,
            "FOREIGN" => State::Foreign,
            "NOTREADY" => return Err(recovering()),
            _ => return Err(Failure::Corrupt("invalid state of a place")),
        };
        Ok(Found { state, version })
    }

    /// Takes a snapshot without calling people. Callers that arrive while another refresh is in
    /// flight share the next one.
    pub(crate) async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, Failure> {
        let requested = Instant::now();
        let mut turn = self.turn().await?;
        if let Some((begun, snapshot)) = &turn.last
            && *begun > requested
            && snapshot.counters.raised_to(floor) == snapshot.counters
        {
            return Ok(snapshot.clone());
        }
        Ok(self.refresh_in(&mut turn, floor, None, false).await?.snapshot)
    }

    /// Refreshes this node's view of the queue, and calls people.
    pub(crate) async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, Failure> {
        let mut turn = self.turn().await?;
        self.refresh_in(&mut turn, floor, shown, true).await
    }

    async fn turn(&self) -> Result<TurnGuard<'_, Refreshing>, Failure> {
        timeout(self.settings.connection.answer, self.refreshing.lock())
            .await
            .map_err(|_| Failure::Busy)
    }

    async fn refresh_in(
        &self,
        turn: &mut Refreshing,
        floor: QueueCounters,
        shown: Option<Shown>,
        calls: bool,
    ) -> Result<Called, Failure> {
        let begun = Instant::now();
        let lifetime = self.settings.lifetime.saturating_mul(LIFETIMES_KEPT).min(LONGEST_KEPT);
        let [number, life] =
            shown.map_or([0; 2], |shown| [shown.number.get(), shown.incarnation.get()]).map(whole);
        let own = [flag(calls), milliseconds(lifetime), number, life];
        let mut reply = self.call(CommandClass::Refresh, &TICK, floor, own).await?;
        let (generation, version) = (reply.count()?, reply.count()?);
        let counters = reply.counters()?;
        let at = reply.time()?;
        let (count, called, active) = (reply.count()?, reply.count()?, reply.count()?);
        let calls_from = reply.count()?;
        let (recovers, wants_replay) = (reply.flag()?, reply.flag()?);
        let (may_join, is_settled) = (reply.flag()?, reply.flag()?);
        let has_expired = reply.flag()?;
        let (incarnations, adopts) = (reply.incarnations()?, reply.flag()?);
        let outcomes = reply.outcomes()?;
        let occupancy = reply.occupancy(called)?;
        let changes = match reply.changes()? {
            Some(changes) => Changes::Since(changes),
            None => Changes::Whole(self.all_there_is(generation).await?),
        };
        let vacant = {
            let mut local = self.local();
            if has_expired && local.replica.witness().generation != generation {
                tracing::warn!(
                    generation,
                    "keys of this queue have expired in redis after a clock step or a long time \
                     without any node, or were deleted: the queue pauses until nodes have \
                     replayed their state"
                );
            }
            let refresh =
                Refresh { generation, incarnations, version, counters, at, calls_from, changes };
            let memories = local.replica.follow(refresh);
            if !memories.is_empty() {
                turn.replay = Some(Replay::new(generation, memories));
            }
            local.seen = Some((begun, at));
            local.replica.vacant().clone()
        };
        if wants_replay {
            self.replay_some(&mut turn.replay).await;
        } else if !recovers {
            // Nothing was lost.
            self.local().replica.note_replayed(generation);
            turn.replay = None;
        }
        let snapshot = Snapshot {
            counters,
            vacant,
            called,
            active,
            outcomes,
            occupancy,
            generation,
            incarnations,
            adopts,
            is_settled,
            recovers,
            may_join,
            at,
        };
        turn.last = Some((begun, snapshot.clone()));
        Ok(Called { count, snapshot })
    }

    /// Fetches the whole state page by page, when the log of changes is not enough. The next
    /// refresh returns what changes meanwhile.
    async fn all_there_is(&self, generation: u64) -> Result<Whole, Failure> {
        let known = self.local().replica.witness();
        // The refresh that these pages belong to already reported this node's knowledge. Until the
        // node has applied that refresh, reporting it again would prove the same loss a second
        // time, after the doubt is over.
        let says_nothing = Witness {
            node: known.node,
            needs_checkpoint: known.needs_checkpoint,
            ..Witness::default()
        };
        let read = async |script: &Script, own: Vec<Value>| {
            let mut reply = self.call_as(&says_nothing, CommandClass::Refresh, script, own).await?;
            if reply.count()? == generation {
                Ok(reply)
            } else {
                Err(Failure::NotYet("the queue was lost while it was read".to_owned()))
            }
        };
        let (mut page, mut after) = (VacantPage::default(), Some(0));
        while let Some(last) = after {
            after = read(&VACANT, vec![whole(last)]).await?.vacant(&mut page)?;
        }
        let mut all = Whole { vacant: page.into_numbers(), ..Whole::default() };
        // In this order: a call that is claimed meanwhile is not mistaken for one that is used up
        // and over.
        for kind in ["used", "given_back", "inside"] {
            let mut cursor = Value::from("0");
            loop {
                let mut reply = read(&PLACES, vec![Value::from(kind), cursor]).await?;
                let next = reply.text()?;
                if kind == "inside" {
                    reply.sessions(&mut all.sessions)?;
                } else {
                    reply.numbers(&mut all.used)?;
                }
                if next == "0" {
                    break;
                }
                cursor = Value::from(next);
            }
        }
        Ok(all)
    }

    /// Replays a part of this node's state to a Redis that may have lost it. The next refresh
    /// retries a failed piece.
    async fn replay_some(&self, replay: &mut Option<Replay>) {
        let begun = Instant::now();
        while begun.elapsed() < REPLAY_FOR {
            let Some(pending) = replay else { return };
            let Some(piece) = pending.next_piece() else {
                tracing::warn!(
                    generation = pending.generation,
                    entries = pending.replayed(),
                    "replayed this node's state after suspected data loss in redis"
                );
                self.local().replica.note_replayed(pending.generation);
                *replay = None;
                return;
            };
            let own = std::iter::once(whole(pending.generation)).chain(piece);
            match self
                .call(CommandClass::Refresh, &REPLAY, QueueCounters::START, own)
                .await
                .and_then(|mut reply| reply.integer())
            {
                Ok(1) => pending.piece_is_replayed(),
                // Lost again meanwhile: the next refresh returns the generation to replay for.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Applies a checkpoint that was read in this generation.
    pub(crate) async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, Failure> {
        let marks = checkpoint.map_or([0; 3], |known| {
            [known.counters.last(), known.counters.serving(), known.ceiling]
        });
        let lives = checkpoint.map(|known| known.incarnations).unwrap_or_default();
        let own =
            [whole(generation), flag(checkpoint.is_some())].into_iter().chain(marks.map(whole));
        let own = own.chain([lives_as_text(lives)]);
        self.call(CommandClass::Refresh, &SETTLE, QueueCounters::START, own).await?;
        self.snapshot(QueueCounters::START).await
    }

    async fn join_batch(
        &self,
        joiners: Vec<Joiner>,
        bounds: NumberBounds,
    ) -> Result<Answers, Failure> {
        let replicas = match self.settings.durability {
            Durability::Primary => None,
            // Half of the limit, so that a missing acknowledgement is reported within it.
            Durability::Replicated => {
                Some(Replicas { count: 1, within: self.settings.connection.answer / 2 })
            }
        };
        let (users, presented) = listed(&joiners);
        let own = [
            whole(bounds.ceiling.min(QueueNumber::MAX)),
            Value::Bytes(users),
            Value::from(presented),
        ];
        let mut reply = self.call(CommandClass::Joins(replicas), &JOIN, bounds.floor, own).await?;
        let (counters, now) = (reply.counters()?, reply.time()?);
        let incarnation = Incarnation::new(reply.count()?).ok();
        let mut answers = Answers::with_capacity(joiners.len());
        while answers.len() < joiners.len() {
            read_run(&mut reply, (counters, now, incarnation), joiners.len(), &mut answers)?;
        }
        let dropped = {
            let mut local = self.local();
            let before = local.replica.dropped();
            local.replica.note_counters(counters);
            incarnation.into_iter().for_each(|life| local.replica.note_incarnation(life));
            for (joiner, answer) in joiners.iter().zip(&answers) {
                if let Ok(joined) = answer {
                    local.replica.note_holder(joiner.user, joined.number);
                }
            }
            let dropped = local.replica.dropped();
            (dropped > before && before == 0).then_some(dropped)
        };
        if dropped.is_some() {
            tracing::warn!(
                "this node cannot remember all waiting users: those at the back keep \
                 their places only by their tokens"
            );
        }
        Ok(answers)
    }
}

impl BatchExecutor for QueueScripts {
    fn carry(
        &self,
        joiners: Vec<Joiner>,
        bounds: NumberBounds,
    ) -> BoxFuture<'_, Result<Answers, Failure>> {
        Box::pin(self.join_batch(joiners, bounds))
    }
}

fn recovering() -> Failure {
    Failure::NotYet("the queue is recovering".to_owned())
}

/// Reads one run of users with the same kind of answer, from the reply to a batch of `users`.
fn read_run(
    reply: &mut Reply,
    (counters, now, incarnation): (QueueCounters, QueueTime, Option<Incarnation>),
    users: usize,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let (length, first) = (reply.count()?, reply.integer()?);
    let (rejoined, ends) = (reply.flag()?, reply.integer()?);
    let fits = length >= 1 && length <= (users - answers.len()) as u64;
    if !fits {
        return Err(Failure::Corrupt("more answers than users"));
    }
    let until = Expiry::new(QueueTime::from_micros(ends.unsigned_abs()), now);
    let place_status = match ends {
        0 => PlaceStatus::Waiting,
        1.. => PlaceStatus::Called { until },
        _ => PlaceStatus::Active { until },
    };
    for n in 0..length.cast_signed() {
        answers.push(match first {
            0 => Err(JoinError::QueueFull),
            -1 => Err(JoinError::AboveCeiling),
            -2 => Err(PortError::from(recovering()).into()),
            -3 => Err(JoinError::ViewBehind),
            _ => {
                let incarnation =
                    incarnation.ok_or(Failure::Corrupt("a number without an incarnation"))?;
                Ok(Joined {
                    number: number(first + n)?,
                    rejoined,
                    place_status,
                    counters,
                    incarnation,
                })
            }
        });
    }
    Ok(())
}

/// Users in the form the script reads, and what their tokens show.
fn listed(joiners: &[Joiner]) -> (Bytes, String) {
    let users: Vec<u8> = joiners.iter().flat_map(|joiner| bytes_of(joiner.user)).collect();
    let mut presented = String::new();
    for (nth, joiner) in joiners.iter().enumerate() {
        if let Some(Shown { incarnation, number }) = joiner.presented {
            // Writing to a string does not fail.
            let _ = write!(presented, "{}:{number}:{},", nth + 1, incarnation.get());
        }
    }
    (users.into(), presented)
}

/// The incarnations in the form scripts read and store.
fn lives_as_text(incarnations: Incarnations) -> Value {
    let lives: Vec<String> = incarnations.iter().map(|life| life.get().to_string()).collect();
    Value::from(lives.join(","))
}

fn whole(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn flag(value: bool) -> Value {
    Value::Integer(value.into())
}

fn microseconds(duration: Duration) -> Value {
    Value::Integer(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

fn milliseconds(duration: Duration) -> Value {
    Value::Integer(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
