//! A queue as a state machine: each step of a store is a pure function of its data and a node's
//! report.
//!
//! The memory store is this behind a lock, the Redis scripts are this in Lua, and the model checker
//! of `contracts` runs this against lost stores, late messages and stopped clocks. Each step begins
//! with [`QueueState::begin`].

mod accepted_tokens;
mod calling;
mod joining;
mod numbers_without_holder;
mod open_calls;
mod places;
mod replay;
mod sessions;

pub use joining::JoinStep;
pub use places::Refused;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::node_replica::{Changes, Refresh, Whole};
use super::recovery::{
    Arrival, Change, Doubt, NodeRecord, Outcome, ProcessId, StoreMarks, Witness,
};
use super::{
    AdmissionPolicy, CallBudget, Checkpoint, Incarnations, NodeId, Occupancy, OutcomeCounts,
    PolicySpec, QueueCounters, QueueTime, Snapshot, UserId, VacantNumbers,
};
use crate::queue::incarnation::apart;
use accepted_tokens::Adoption;
use open_calls::Calls;
use sessions::Sessions;

/// The input of every step.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Visit {
    /// The server's clock, in microseconds since any fixed moment.
    pub clock: u64,
    /// The server's process.
    pub process: ProcessId,
    /// How the node came to the process.
    pub arrival: Arrival,
    /// The node's marks.
    pub witness: Witness,
    /// Whether the store is at its memory limit and accepts no claims for now. Then its time stops,
    /// since calls and sessions run only while they can be used.
    pub is_at_limit: bool,
}

/// The data a store keeps of one queue.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct QueueState {
    policy: PolicySpec,
    /// The length of a doubt.
    recovery: Duration,
    counters: QueueCounters,
    time: QueueTime,
    /// The server's clock at the last step.
    clock: Option<u64>,
    /// The process of the last step; none before the first.
    process: Option<ProcessId>,
    generation: u64,
    version: u64,
    /// The version at which numbers were last skipped.
    skipped_at: u64,
    budget: CallBudget,
    doubt: Option<Doubt>,
    /// Whether the last doubt ended with nothing lost.
    was_intact: bool,
    /// The generation for which a checkpoint was read, or which inherited a reading with its data.
    settled: Option<u64>,
    /// Whether the queue waits for a checkpoint, as the node of this step reports.
    awaits_checkpoint: bool,
    /// The checkpoint, kept until the doubt is over.
    checkpoint: Option<Checkpoint>,
    /// The incarnations whose tokens are accepted; empty until the first doubt is over.
    incarnations: Incarnations,
    /// Set while the store may adopt the incarnation of a token, or has just done so.
    adoption: Option<Adoption>,
    /// How often the number of a token has raised the queue.
    raises: u32,
    /// The numbers `(from, to]` skipped by the last raises.
    raised: (u64, u64),
    /// The holders of numbers up to this one may be unknown.
    unknown_up_to: u64,
    /// The holders of numbers whose call has not lapsed.
    users: BTreeMap<u64, UserId>,
    /// The number each user holds.
    held: BTreeMap<UserId, u64>,
    vacant: VacantNumbers,
    /// Skipped numbers whose holders turned up.
    found: BTreeSet<u64>,
    calls: Calls,
    sessions: Sessions,
    /// The last changes, the newest last.
    log: VecDeque<Change>,
    nodes: BTreeMap<NodeId, NodeRecord>,
    /// Whether the register of nodes was ever filled since its last loss. From then on it is empty
    /// only if its data has expired, which a step of the server's clock can cause.
    is_registered: bool,
    outcomes: OutcomeCounts,
    turnover: Turnover,
}

/// The length of the log; a node that missed more changes fetches the complete state.
const LOG: usize = 10_000;

/// How long slots were held recently: decaying sums, in which each event weighs less than the next.
/// Integers, so that every store computes the same values.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Turnover {
    /// Thousandths of released slots.
    freed: u64,
    /// Their total time held, in microseconds.
    held: u64,
}

impl Turnover {
    /// After this many equal events, another one changes next to nothing.
    const ENOUGH: u64 = 5_000;

    /// The decay: each event weighs this part less than the next. It is slow enough that slots held
    /// for a whole session are not missing among the released ones.
    fn fade(max_active: u32) -> u64 {
        u64::from(max_active).saturating_mul(2).clamp(200, 1_000_000)
    }

    fn note(&mut self, held: Duration, times: u64, max_active: u32) {
        let fade = Self::fade(max_active);
        let held = u64::try_from(held.as_micros()).unwrap_or(u64::MAX);
        for _ in 0..times.min(Self::ENOUGH) {
            self.freed = self.freed - self.freed / fade + 1_000;
            self.held = (self.held - self.held / fade).saturating_add(held);
        }
    }
}

impl QueueState {
    /// An empty store, before its first step. If the pause of a doubt, `recovery`, is zero, only
    /// floors repair a loss.
    #[must_use]
    pub fn new(policy: AdmissionPolicy, recovery: Duration) -> Self {
        Self {
            policy: *policy.spec(),
            recovery,
            counters: QueueCounters::START,
            time: QueueTime::START,
            clock: None,
            process: None,
            generation: 0,
            version: 0,
            skipped_at: 0,
            budget: CallBudget::new(&policy),
            doubt: None,
            was_intact: false,
            settled: None,
            awaits_checkpoint: false,
            checkpoint: None,
            incarnations: Incarnations::default(),
            adoption: None,
            raises: 0,
            raised: (0, 0),
            unknown_up_to: 0,
            users: BTreeMap::new(),
            held: BTreeMap::new(),
            vacant: VacantNumbers::default(),
            found: BTreeSet::new(),
            calls: Calls::default(),
            sessions: Sessions::default(),
            log: VecDeque::new(),
            nodes: BTreeMap::new(),
            is_registered: false,
            outcomes: OutcomeCounts::default(),
            turnover: Turnover::default(),
        }
    }

    /// Begins a step: advances the queue's time, detects a loss, applies the witness's marks, and
    /// ends a doubt that is over. It does not raise the time to the witness's: such a leap would
    /// end the calls and sessions begun since the loss. Instead the node converts its remembered
    /// times to those of another store, see [`Replica::follow`](super::Replica::follow).
    pub fn begin(&mut self, visit: &Visit) {
        let witness = &visit.witness;
        // The marks before time moves on: no witness is ahead of them unless data was lost.
        let found = self.marks();
        if self.clock.is_none() || !visit.is_at_limit {
            self.time = self.time.after_step(self.clock.unwrap_or(visit.clock), visit.clock);
            self.clock = Some(visit.clock);
        }
        self.budget.cap(self.time);
        self.learn_incarnations(witness.incarnations);
        let is_empty = self.process.is_none();
        let is_another = self.process != Some(visit.process);
        self.process = Some(visit.process);
        let is_doubtful = is_another && (is_empty || visit.arrival == Arrival::Anew);
        let before =
            self.doubt.filter(|_| witness.generation < self.generation).map(|doubt| doubt.found());
        let is_late = before.is_some();
        let has_expired = self.is_registered && self.nodes.is_empty();
        let is_behind = before.unwrap_or(found).are_behind(witness);
        // Calls that a recovery reopened, but that are over according to the witness.
        self.forget_calls_up_to(witness.calls_from.min(self.unknown_up_to));
        if is_doubtful || has_expired || is_behind && !is_late {
            let is_takeover =
                self.doubt.map_or(is_doubtful && !is_empty, |doubt| doubt.is_takeover());
            // Without the register, it is unknown which nodes were live.
            let is_takeover = is_takeover && !has_expired;
            if has_expired {
                self.is_registered = false;
                // Sessions do not expire with the register, and still name their users.
                for (number, user) in self.sessions.users() {
                    let held = self.held.entry(user).or_insert(number);
                    *held = number.max(*held);
                }
            }
            self.begin_doubt(found, witness, is_empty || is_behind || has_expired);
            self.doubt =
                self.doubt.map(|doubt| if is_takeover { doubt.of_takeover() } else { doubt });
        } else if is_behind && let Some(doubt) = &mut self.doubt {
            doubt.prove_loss();
        }
        if is_behind {
            self.raise_to(witness);
        }
        if let Some(node) = self.nodes.get_mut(&witness.node) {
            node.received = self.generation;
            if witness.replayed == self.generation {
                node.replayed = self.generation;
            }
        }
        self.end_doubt();
        self.awaits_checkpoint = witness.needs_checkpoint && self.settled != Some(self.generation);
        self.begin_incarnation(witness);
    }

    /// The marks to compare with those of witnesses.
    #[must_use]
    pub fn marks(&self) -> StoreMarks {
        StoreMarks {
            counters: self.counters,
            generation: self.generation,
            version: self.version,
            time: self.time,
        }
    }

    /// Applies a checkpoint, once for each doubt, even if several nodes pass it. A store that has
    /// lost nothing stays as it is. Any other continues above the ceiling, and skips the numbers up
    /// to it. Nothing changes if `generation`, in which the checkpoint was read, is no longer the
    /// current one.
    pub fn settle(&mut self, generation: u64, checkpoint: Option<Checkpoint>) {
        if generation != self.generation {
            return;
        }
        self.learn_incarnations(checkpoint.map(|known| known.incarnations).unwrap_or_default());
        let is_behind = checkpoint.is_some_and(|known| {
            known.counters.last() > self.counters.last()
                || known.counters.serving() > self.counters.serving()
        });
        if self.settled == Some(self.generation) && !is_behind {
            return;
        }
        if self.doubt.is_none()
            && is_behind
            && (self.was_intact || self.settled == Some(self.generation))
        {
            // The store is an older copy, which no witness had detected.
            self.begin_doubt(self.marks(), &Witness::default(), true);
        }
        self.settled = Some(self.generation);
        self.checkpoint = match (self.checkpoint, checkpoint) {
            (Some(one), Some(other)) => Some(one.raised_to(other)),
            (one, other) => one.or(other),
        };
        self.end_doubt();
        if self.doubt.is_none() {
            self.apply_checkpoint();
        }
    }

    /// Records that a node has refreshed its view, so that a doubt waits for it.
    pub(super) fn register(&mut self, node: NodeId) {
        let (now, received) = (self.time, self.generation);
        let record = NodeRecord { registered: now, seen: now, received, replayed: 0 };
        self.nodes.entry(node).or_insert(record).seen = now;
        self.is_registered = true;
        // The end of a doubt needs the nodes that were live when it began.
        if self.doubt.is_none() {
            self.nodes.retain(|_, record| record.is_live(now));
        }
    }

    /// The store's report.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let active = self.sessions.running(self.time);
        let open_calls = self.calls.open() + self.sessions.recalled();
        Snapshot {
            counters: self.counters,
            vacant: self.vacant.clone(),
            called: open_calls,
            active,
            outcomes: self.outcomes,
            generation: self.generation,
            incarnations: self.incarnations,
            adopts: self.adopts(),
            is_settled: self.settled == Some(self.generation),
            recovers: self.doubt.is_some(),
            may_join: self.doubt.is_none(),
            occupancy: Occupancy {
                ends: self.sessions.ends(self.time),
                open_calls,
                freed: self.turnover.freed as f64 / 1_000.0,
                held_seconds: self.turnover.held as f64 / 1_000_000.0,
            },
            at: self.time,
        }
    }

    /// Whether nodes must replay what they remember: data is lost, or may be.
    #[must_use]
    pub fn wants_replay(&self) -> bool {
        self.doubt.map_or(!self.was_intact, |doubt| doubt.is_lost())
    }

    /// The changes since a version of a generation; `None` if some are no longer kept.
    #[must_use]
    pub fn changes_since(&self, generation: u64, version: u64) -> Option<Vec<Change>> {
        let missed = usize::try_from(self.version.checked_sub(version)?).ok()?;
        let is_known = generation == self.generation && missed <= self.log.len();
        is_known.then(|| self.log.iter().skip(self.log.len() - missed).copied().collect())
    }

    /// The response to a node that refreshes its view.
    #[must_use]
    pub fn answer_to(&self, witness: &Witness) -> Refresh {
        let since = self.changes_since(witness.generation, witness.version);
        Refresh {
            generation: self.generation,
            incarnations: self.incarnations,
            version: self.version,
            counters: self.counters,
            at: self.time,
            calls_from: self.calls_from(),
            changes: since.map_or_else(|| Changes::Whole(self.whole()), Changes::Since),
        }
    }

    /// The complete state, for a node that cannot follow the changes.
    fn whole(&self) -> Whole {
        Whole {
            vacant: self.vacant.clone(),
            sessions: self.sessions.sessions(self.time).collect(),
            used: self.calls.used().chain(self.sessions.barred()).collect(),
        }
    }

    /// Calls of numbers up to this one are over.
    #[must_use]
    pub fn calls_from(&self) -> u64 {
        self.calls.from().unwrap_or(self.counters.serving())
    }

    /// Begins a doubt; `found` are the store's marks before this step.
    fn begin_doubt(&mut self, found: StoreMarks, witness: &Witness, is_lost: bool) {
        let was_lost = self.doubt.is_some_and(|doubt| doubt.is_lost());
        let found = self.doubt.map_or(found, |doubt| doubt.found());
        self.doubt = Some(Doubt::begin(found, self.time, self.recovery, is_lost || was_lost));
        // No store lost earlier had this generation, so none of its nodes mistakes this one for it:
        // the clock has advanced since, and if it was set back, two nodes do not start with the
        // same value.
        let clock = self.clock.unwrap_or_default();
        self.generation = self.generation.max(witness.generation).max(clock) + apart(witness.node);
        self.version = self.version.max(witness.version).max(witness.seen) + 1;
        // The log lacks the lost changes, so no node may treat it as complete.
        self.log.clear();
        self.unknown_up_to = self.unknown_up_to.max(self.counters.last());
        // The remaining budget is unknown.
        self.budget.exhaust(self.time);
    }

    fn raise_to(&mut self, witness: &Witness) {
        let version = witness.version.max(witness.seen);
        if version > self.version {
            // The log lacks the versions between.
            self.log.clear();
            self.version = version;
        }
        self.raise_line(witness.counters, witness.calls_from);
    }

    /// Raises the counters. Numbers called by the raise were called by a lost store: their calls
    /// are open from now on.
    fn raise_line(&mut self, counters: QueueCounters, calls_from: u64) {
        self.unknown_up_to = self.unknown_up_to.max(counters.last());
        let raised = self.counters.raised_to(counters);
        let serving = self.counters.serving();
        if raised.serving() > serving {
            // The budget limits how many can have been called within the time a call stays open.
            let max = self.budget.max_within(self.policy.claim_within);
            let from = serving.max(calls_from).max(raised.serving().saturating_sub(max));
            let ends = self.time + self.policy.claim_within;
            self.calls.add_without(&self.vacant, from, raised.serving(), ends);
            self.vacant.forget_singles_up_to(raised.serving());
        }
        self.counters = raised;
    }

    fn end_doubt(&mut self) {
        let Some(doubt) = self.doubt else { return };
        let (now, generation) = (self.time, self.generation);
        let all_heard =
            self.nodes.values().all(|node| node.received == generation || !node.is_live(now));
        if let Some(outcome) = doubt.outcome(now, all_heard) {
            self.doubt = None;
            self.was_intact = outcome == Outcome::Intact;
            if !self.was_intact {
                self.skip_numbers_without_holder(&doubt);
            } else if self.settled >= Some(doubt.found().generation) {
                // A checkpoint read before the doubt is still valid, since the data is the same.
                self.settled = Some(generation);
            }
            if self.counters.serving() == 0 {
                self.budget.refill();
            }
            if self.settled == Some(generation) {
                self.apply_checkpoint();
            }
        }
    }

    fn apply_checkpoint(&mut self) {
        let Some(checkpoint) = self.checkpoint.take() else { return };
        if checkpoint.counters.serving() > self.counters.serving() {
            // The remaining budget is unknown.
            self.budget.exhaust(self.time);
        }
        self.raise_line(checkpoint.counters, 0);
        if !self.was_intact && checkpoint.ceiling > self.counters.last() {
            self.skip_up_to(checkpoint.ceiling);
        }
    }

    /// Whether this node may move the queue.
    fn is_open_for(&self, witness: &Witness) -> bool {
        self.doubt.is_none() && (!witness.needs_checkpoint || self.settled == Some(self.generation))
    }

    fn log(&mut self, change: Change) {
        self.version += 1;
        if matches!(change, Change::Skipped { .. }) {
            self.skipped_at = self.version;
        }
        self.log.push_back(change);
        if self.log.len() > LOG {
            self.log.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
