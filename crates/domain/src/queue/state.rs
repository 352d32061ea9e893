//! A queue as a state machine: every step of a store as a pure function of what it knows and what a node says.
//!
//! The memory store is this behind a lock, the Redis scripts are this in Lua, and the model checker of `contracts` runs
//! this against lost stores, late messages and stopped clocks. Each step begins with [`QueueState::begin`].

mod admission;
mod calls;
mod joining;
mod places;
mod replay;
mod seats;
mod shown;
mod unheld;

pub use joining::JoinStep;
pub use places::Refused;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::recovery::{
    Arrival, Change, Doubt, NodeId, NodeRecord, Outcome, ProcessId, StoreMarks, Witness,
};
use super::replica::{Changes, Refresh, Whole};
use super::{
    AdmissionPolicy, CallBudget, Checkpoint, Incarnations, Line, Occupancy, PolicySpec, QueueTime,
    Snapshot, Tally, UserId, VacantNumbers,
};
use crate::queue::incarnation::apart;
use calls::Calls;
use seats::Seats;
use shown::Adoption;

/// What a step is told before anything else.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Visit {
    /// The server's clock, in microseconds since any fixed moment.
    pub clock: u64,
    /// The process of the server.
    pub process: ProcessId,
    /// How the node came to it.
    pub arrival: Arrival,
    /// What the node knows.
    pub witness: Witness,
    /// Whether the store is at the limit of its memory, and takes no claims for now: then its time
    /// stands still, since calls and sessions run only while they can be used.
    pub is_at_limit: bool,
}

/// All that a store keeps of one queue.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct QueueState {
    policy: PolicySpec,
    /// How long a doubt lasts.
    recovery: Duration,
    line: Line,
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
    /// The generation for which a checkpoint was read, or which took that over with its data.
    settled: Option<u64>,
    /// Whether a checkpoint is to be read before the queue moves, as the visitor of this step
    /// knows.
    awaits_checkpoint: bool,
    /// What it said, until the doubt is over.
    checkpoint: Option<Checkpoint>,
    /// The lives whose tokens are accepted; none before the first doubt is over.
    incarnations: Incarnations,
    /// While the store may adopt a life that a token shows, or has just done so.
    adoption: Option<Adoption>,
    /// How often a shown number has raised the queue.
    raises: u32,
    /// The numbers `(from, to]` that the last raises have skipped.
    raised: (u64, u64),
    /// Up to this number, holders may be unknown.
    unknown_up_to: u64,
    /// Who holds the numbers whose call has not lapsed.
    users: BTreeMap<u64, UserId>,
    /// Which number a user holds.
    held: BTreeMap<UserId, u64>,
    vacant: VacantNumbers,
    /// Skipped numbers whose holders turned up.
    found: BTreeSet<u64>,
    calls: Calls,
    seats: Seats,
    /// The last changes, the newest last.
    log: VecDeque<Change>,
    nodes: BTreeMap<NodeId, NodeRecord>,
    /// Whether the register has had a node since it was lost last: from then on it is never empty,
    /// unless what a store lets expire is gone, which a step of its server's clock can do.
    is_registered: bool,
    tally: Tally,
    turnover: Turnover,
}

/// The log keeps so many changes; a node that missed more fetches everything anew.
const LOG: usize = 10_000;

/// How long slots were held of late: sums in which each event weighs less than the one after it.
/// Whole numbers, so that each store counts alike.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct Turnover {
    /// Thousandths of slots that came free.
    freed: u64,
    /// Microseconds they were held in all.
    held: u64,
}

impl Turnover {
    /// After so many equal events one more changes next to nothing.
    const ENOUGH: u64 = 5_000;

    /// Each event weighs this part less than the one after it: slots that are held for a whole session must not be
    /// missing among those that came free.
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
    /// An empty store, before its first step. Where the pause of a doubt, `recovery`, is zero, a loss is mended by
    /// floors alone.
    #[must_use]
    pub fn new(policy: AdmissionPolicy, recovery: Duration) -> Self {
        Self {
            policy: *policy.spec(),
            recovery,
            line: Line::START,
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
            seats: Seats::default(),
            log: VecDeque::new(),
            nodes: BTreeMap::new(),
            is_registered: false,
            tally: Tally::default(),
            turnover: Turnover::default(),
        }
    }

    /// Begins a step: moves the queue's time on, notices a loss, takes the witness's marks in, and ends a doubt that is over.
    /// The time is not among those marks: what was called and let in since the loss would end by a leap of it. It is the
    /// node that reckons what it remembers to the time of another store, see [`Replica::follow`](super::Replica::follow).
    pub fn begin(&mut self, visit: &Visit) {
        let witness = &visit.witness;
        // What no witness can be ahead of, unless something is lost: before time moves on.
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
        // Calls that a recovery let stand again, of which the witness knows that they are over.
        self.forget_calls_up_to(witness.calls_from.min(self.unknown_up_to));
        if is_doubtful || has_expired || is_behind && !is_late {
            let is_takeover =
                self.doubt.map_or(is_doubtful && !is_empty, |doubt| doubt.is_takeover());
            // Without the register nobody knows which nodes were live.
            let is_takeover = is_takeover && !has_expired;
            if has_expired {
                self.is_registered = false;
                // What does not expire still says who is inside.
                for (number, user) in self.seats.users() {
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
            node.heard = self.generation;
            if witness.replayed == self.generation {
                node.replayed = self.generation;
            }
        }
        self.end_doubt();
        self.awaits_checkpoint = witness.needs_checkpoint && self.settled != Some(self.generation);
        self.begin_incarnation(witness);
    }

    /// The marks that witnesses are compared with.
    #[must_use]
    pub fn marks(&self) -> StoreMarks {
        StoreMarks {
            line: self.line,
            generation: self.generation,
            version: self.version,
            time: self.time,
        }
    }

    /// Takes in what a checkpoint says, once for each doubt, however many nodes do so. A store that nothing was lost of goes
    /// on as it is; any other continues above the ceiling, and passes over the numbers that it skips.
    /// Nothing changes where `generation`, the one the checkpoint was read in, is another by now.
    pub fn settle(&mut self, generation: u64, checkpoint: Option<Checkpoint>) {
        if generation != self.generation {
            return;
        }
        self.learn_incarnations(checkpoint.map(|known| known.incarnations).unwrap_or_default());
        let is_behind = checkpoint.is_some_and(|known| {
            known.line.last() > self.line.last() || known.line.serving() > self.line.serving()
        });
        if self.settled == Some(self.generation) && !is_behind {
            return;
        }
        if self.doubt.is_none()
            && is_behind
            && (self.was_intact || self.settled == Some(self.generation))
        {
            // An older copy of the store that nobody had noticed.
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

    /// Notes that a node has refreshed its view, which is what keeps it among those that a doubt waits for.
    pub(super) fn register(&mut self, node: NodeId) {
        let (now, heard) = (self.time, self.generation);
        let record = NodeRecord { registered: now, seen: now, heard, replayed: 0 };
        self.nodes.entry(node).or_insert(record).seen = now;
        self.is_registered = true;
        // The end of a doubt asks which nodes were live when it began.
        if self.doubt.is_none() {
            self.nodes.retain(|_, record| record.is_live(now));
        }
    }

    /// What the store reports of itself.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let active = self.seats.running(self.time);
        let open_calls = self.calls.open() + self.seats.recalled();
        Snapshot {
            line: self.line,
            vacant: self.vacant.clone(),
            called: open_calls,
            active,
            tally: self.tally,
            generation: self.generation,
            incarnations: self.incarnations,
            adopts: self.adopts(),
            is_settled: self.settled == Some(self.generation),
            recovers: self.doubt.is_some(),
            may_join: self.doubt.is_none(),
            occupancy: Occupancy {
                ends: self.seats.ends(self.time),
                open_calls,
                freed: self.turnover.freed as f64 / 1_000.0,
                held_seconds: self.turnover.held as f64 / 1_000_000.0,
            },
            at: self.time,
        }
    }

    /// Whether nodes are to replay what they remember: something is lost, or may be.
    #[must_use]
    pub fn wants_replay(&self) -> bool {
        self.doubt.map_or(!self.was_intact, |doubt| doubt.is_lost())
    }

    /// The changes since a version of a generation; none where they are no longer all kept.
    #[must_use]
    pub fn changes_since(&self, generation: u64, version: u64) -> Option<Vec<Change>> {
        let missed = usize::try_from(self.version.checked_sub(version)?).ok()?;
        let is_known = generation == self.generation && missed <= self.log.len();
        is_known.then(|| self.log.iter().skip(self.log.len() - missed).copied().collect())
    }

    /// What a node is told that refreshes its view.
    #[must_use]
    pub fn answer_to(&self, witness: &Witness) -> Refresh {
        let since = self.changes_since(witness.generation, witness.version);
        Refresh {
            generation: self.generation,
            incarnations: self.incarnations,
            version: self.version,
            line: self.line,
            at: self.time,
            calls_from: self.calls_from(),
            changes: since.map_or_else(|| Changes::Whole(self.whole()), Changes::Since),
        }
    }

    /// All that a node has to know which cannot follow the changes.
    fn whole(&self) -> Whole {
        Whole {
            vacant: self.vacant.clone(),
            sessions: self.seats.sessions(self.time).collect(),
            used: self.calls.used().chain(self.seats.barred()).collect(),
        }
    }

    /// Calls of numbers up to this one stand no longer.
    #[must_use]
    pub fn calls_from(&self) -> u64 {
        self.calls.from().unwrap_or(self.line.serving())
    }

    /// `found` are the marks of the store before this step.
    fn begin_doubt(&mut self, found: StoreMarks, witness: &Witness, is_lost: bool) {
        let was_lost = self.doubt.is_some_and(|doubt| doubt.is_lost());
        let found = self.doubt.map_or(found, |doubt| doubt.found());
        self.doubt = Some(Doubt::begin(found, self.time, self.recovery, is_lost || was_lost));
        // No store had this generation that was lost since, so none of its nodes takes this one for it: the clock has moved on
        // since then, and where it was set back, two nodes do not begin with the same one.
        let clock = self.clock.unwrap_or_default();
        self.generation = self.generation.max(witness.generation).max(clock) + apart(witness.node);
        self.version = self.version.max(witness.version).max(witness.seen) + 1;
        // The log lacks what was lost: no node may take it to be whole.
        self.log.clear();
        self.unknown_up_to = self.unknown_up_to.max(self.line.last());
        // What was left of the budget is not known.
        self.budget.exhaust(self.time);
    }

    fn raise_to(&mut self, witness: &Witness) {
        let version = witness.version.max(witness.seen);
        if version > self.version {
            // The log has nothing of the versions between.
            self.log.clear();
            self.version = version;
        }
        self.raise_line(witness.line, witness.calls_from);
    }

    /// Raises the two integers. Numbers that are called by it were called by a store that is no more: those calls stand
    /// from now on.
    fn raise_line(&mut self, line: Line, calls_from: u64) {
        self.unknown_up_to = self.unknown_up_to.max(line.last());
        let raised = self.line.raised_to(line);
        let serving = self.line.serving();
        if raised.serving() > serving {
            // No more than the budget allows can have been called within the time a call stands.
            let most = self.budget.most_within(self.policy.claim_within);
            let from = serving.max(calls_from).max(raised.serving().saturating_sub(most));
            let ends = self.time + self.policy.claim_within;
            self.calls.add_without(&self.vacant, from, raised.serving(), ends);
            self.vacant.forget_singles_up_to(raised.serving());
        }
        self.line = raised;
    }

    fn end_doubt(&mut self) {
        let Some(doubt) = self.doubt else { return };
        let (now, generation) = (self.time, self.generation);
        let all_heard =
            self.nodes.values().all(|node| node.heard == generation || !node.is_live(now));
        if let Some(outcome) = doubt.outcome(now, all_heard) {
            self.doubt = None;
            self.was_intact = outcome == Outcome::Intact;
            if !self.was_intact {
                self.skip_unheld(&doubt);
            } else if self.settled >= Some(doubt.found().generation) {
                // What was read for the store before the doubt holds for the same data after it.
                self.settled = Some(generation);
            }
            if self.line.serving() == 0 {
                self.budget.refill();
            }
            if self.settled == Some(generation) {
                self.apply_checkpoint();
            }
        }
    }

    fn apply_checkpoint(&mut self) {
        let Some(checkpoint) = self.checkpoint.take() else { return };
        if checkpoint.line.serving() > self.line.serving() {
            // What is left of the budget is not known.
            self.budget.exhaust(self.time);
        }
        self.raise_line(checkpoint.line, 0);
        if !self.was_intact && checkpoint.ceiling > self.line.last() {
            self.skip_up_to(checkpoint.ceiling);
        }
    }

    /// Whether the queue may move for this node.
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
