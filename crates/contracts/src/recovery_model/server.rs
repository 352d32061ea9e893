//! The server of a store, and a node, driven as an adapter drives them.

use domain::Timestamp;
use domain::queue::{
    Arrival, Change, Checkpoint, Incarnation, JoinStep, Memory, NodeId, PlaceStatus, ProcessId,
    QueueCounters, QueueId, QueueNumber, QueueState, Refresh, Refused, Replica, Shown, TokenClaims,
    UserId, Visit, Witness,
};

use super::action::{Answer, Seen, Stand};
use super::fault::Fault;
use super::initial_state::{RESERVE, Scene};

/// The time that a step of the server takes, in microseconds.
const STEP: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000_000;

/// A store and the server it runs on.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Server {
    pub(super) state: QueueState,
    pub(super) clock: u64,
    pub(super) process: u64,
    /// The clock at the previous step.
    last_clock: Option<u64>,
    /// The number of users, for a claim that is granted to any of them.
    users: u64,
    fault: Option<Fault>,
}

/// A request of a node to a store.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Request {
    Snapshot { shown: Option<Shown> },
    Replay { generation: u64, memories: Vec<Memory> },
    Join { user: UserId, shown: Option<Shown>, ceiling: u64 },
    Claim { user: UserId, shown: Shown },
    Leave { user: UserId, shown: Shown },
    Settle { generation: u64, checkpoint: Option<Checkpoint> },
}

/// An answer of the store.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Reply {
    Snapshot { refresh: Refresh, seen: Seen, wants_replay: bool },
    Replay { is_current: bool },
    Join { step: JoinStep, counters: QueueCounters },
    Place { state: Result<PlaceStatus, Refused>, version: u64, counters: QueueCounters },
    Settled { is_settled: bool, ceiling: u64 },
}

impl Server {
    pub(super) fn new(scene: &Scene, state: QueueState) -> Self {
        Self {
            state,
            clock: 1_000 * SECOND,
            process: 1,
            last_clock: None,
            users: scene.users,
            fault: scene.fault,
        }
    }

    /// Begins a step for a node with this witness.
    pub(super) fn begin(&mut self, witness: Witness) -> Visit {
        self.clock += STEP;
        let arrival = match self.fault {
            Some(Fault::RestartUnnoticed) => Arrival::HandedOver,
            Some(_) | None => Arrival::Anew,
        };
        let witness = self.distorted(witness);
        let visit = Visit {
            clock: self.clock,
            process: ProcessId(self.process),
            arrival,
            witness,
            is_at_limit: false,
        };
        if let Some(mut clock) = self.last_clock.filter(|_| self.fault == Some(Fault::ServerClock))
        {
            // The queue's time follows the whole step of the clock.
            while clock + SECOND < self.clock {
                clock += SECOND;
                self.state.begin(&Visit { clock, ..visit });
            }
        }
        self.last_clock = Some(self.clock);
        self.state.begin(&visit);
        visit
    }

    fn distorted(&self, witness: Witness) -> Witness {
        match self.fault {
            Some(Fault::WitnessNotSent) => Witness {
                node: witness.node,
                replayed: witness.replayed,
                needs_checkpoint: witness.needs_checkpoint,
                ..Witness::default()
            },
            Some(Fault::LapsedForgotten) => Witness { calls_from: 0, ..witness },
            Some(_) | None => witness,
        }
    }

    /// Executes a request, after [`begin`](Self::begin).
    pub(super) fn answer(&mut self, visit: &Visit, witness: &Witness, request: &Request) -> Reply {
        let state = &mut self.state;
        match request {
            Request::Snapshot { shown } => {
                shown.iter().for_each(|shown| state.note_shown(*shown));
                let called = state.tick(visit);
                let snapshot = state.snapshot();
                let seen = Seen {
                    last: snapshot.counters.last(),
                    serving: snapshot.counters.serving(),
                    called,
                    open: snapshot.called,
                    active: snapshot.active,
                    recovers: snapshot.recovers,
                };
                let mut refresh = state.answer_to(witness);
                if self.fault == Some(Fault::GenerationIgnored) && witness.generation > 0 {
                    refresh.generation = witness.generation;
                }
                Reply::Snapshot { refresh, seen, wants_replay: self.state.wants_replay() }
            }
            Request::Replay { generation, memories } => Reply::Replay {
                is_current: self.state.replay(*generation, &self.received(memories)),
            },
            Request::Join { user, shown, ceiling } => {
                let mut visit = *visit;
                if self.fault == Some(Fault::JoinsBeforeReplay) {
                    visit.witness.replayed = state.marks().generation;
                }
                let step = state.join(&visit, *user, *shown, *ceiling);
                Reply::Join { step, counters: state.witnessed_counters() }
            }
            Request::Claim { user, shown } => {
                let oldest = self.state.incarnations().oldest();
                let shown = match oldest.filter(|_| self.fault == Some(Fault::TokenOfAnyLife)) {
                    Some(incarnation) => Shown { incarnation, ..*shown },
                    None => *shown,
                };
                let user = self.claimant(*user, shown);
                let claimed = self.state.claim(&place(user, shown));
                self.place(claimed.map(|until| PlaceStatus::Active { until }))
            }
            Request::Leave { user, shown } => {
                let left = state.leave(&place(*user, *shown));
                self.place(left)
            }
            Request::Settle { generation, checkpoint } => {
                let checkpoint = checkpoint.map(|known| self.reserved_anew(known));
                self.state.settle(*generation, checkpoint);
                let ceiling = checkpoint.map_or(0, |known| known.ceiling);
                Reply::Settled { is_settled: self.state.snapshot().is_settled, ceiling }
            }
        }
    }

    fn place(&self, state: Result<PlaceStatus, Refused>) -> Reply {
        let marks = self.state.marks();
        Reply::Place { state, version: marks.version, counters: self.state.witnessed_counters() }
    }

    fn received(&self, memories: &[Memory]) -> Vec<Memory> {
        let fault = self.fault;
        let is_kept = |memory: &Memory| match memory {
            Memory::Holder { .. } => fault != Some(Fault::HoldersForgotten),
            Memory::Change(Change::Claimed { .. }) => fault != Some(Fault::SessionsForgotten),
            Memory::Change(Change::Released(_)) => fault != Some(Fault::ReleasedForgotten),
            Memory::Change(Change::Abandoned(_)) => fault != Some(Fault::AbandonedForgotten),
            Memory::Change(Change::Skipped { .. } | Change::Found(_)) => true,
        };
        let is_heard = fault != Some(Fault::NoReplay);
        memories.iter().filter(|memory| is_heard && is_kept(memory)).copied().collect()
    }

    /// The user whose claim is granted.
    fn claimant(&self, user: UserId, shown: Shown) -> UserId {
        let may = |user: &UserId| self.state.clone().claim(&place(*user, shown)).is_ok();
        let anybody = || (1..=self.users).filter_map(|user| UserId::new(user).ok()).find(may);
        let anybody = (self.fault == Some(Fault::ClaimByAnybody)).then(anybody).flatten();
        anybody.unwrap_or(user)
    }

    fn reserved_anew(&self, known: Checkpoint) -> Checkpoint {
        if self.fault == Some(Fault::CheckpointPerNode) {
            let counters = self.state.marks().counters.raised_to(known.counters);
            let counters = QueueCounters::new(known.ceiling, counters.serving());
            let ceiling = known.ceiling.max(counters.last()) + RESERVE;
            Checkpoint::new(counters, ceiling).with_incarnations(known.incarnations)
        } else {
            known
        }
    }

    /// The status of a place, without changing the store.
    pub(super) fn stand(&self, user: UserId, shown: Shown) -> Result<PlaceStatus, Refused> {
        self.state.clone().place_status(&place(user, shown))
    }
}

/// A node of the service.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Node {
    pub(super) id: u8,
    pub(super) replica: Replica,
    /// The state to replay, and its generation.
    pub(super) pending: Option<(u64, Vec<Memory>)>,
    wants_replay: bool,
    /// The generation for which the checkpoint was read, and the ceiling.
    reserved: (u64, u64),
}

impl Node {
    pub(super) fn new(scene: &Scene, id: u8) -> Self {
        let ttl = scene.policy.session_ttl;
        let replica = Replica::new(NodeId(id.into()), scene.needs_checkpoint, ttl);
        Self { id, replica, pending: None, wants_replay: false, reserved: (0, 0) }
    }

    /// The highest number that the node may give; `None` before it has read the checkpoint. The
    /// store gives no numbers in a generation that is not settled.
    pub(super) fn ceiling(&self) -> Option<u64> {
        let witness = self.replica.witness();
        if !witness.needs_checkpoint {
            return Some(u64::MAX);
        }
        (self.reserved.0 > 0).then_some(self.reserved.1)
    }

    pub(super) fn note_saved(&mut self, ceiling: u64) {
        self.reserved.1 = self.reserved.1.max(ceiling);
    }

    /// The replay to send now, if any.
    pub(super) fn to_replay(&self) -> Option<Request> {
        let (generation, memories) = self.pending.as_ref().filter(|_| self.wants_replay)?;
        Some(Request::Replay { generation: *generation, memories: memories.clone() })
    }

    /// Processes an answer, and returns the answer for the user.
    pub(super) fn receive(&mut self, request: &Request, reply: Reply) -> Answer {
        match reply {
            Reply::Snapshot { refresh, seen, wants_replay } => {
                let generation = refresh.generation;
                let memories = self.replica.follow(refresh);
                if !memories.is_empty() {
                    self.pending = Some((generation, memories));
                }
                self.wants_replay = wants_replay;
                if !wants_replay && !seen.recovers {
                    self.replica.note_replayed(generation);
                    self.pending = None;
                }
                Answer::Seen(seen)
            }
            Reply::Replay { is_current } => {
                if let Request::Replay { generation, .. } = request
                    && is_current
                    && self.pending.as_ref().is_some_and(|(pending, _)| pending == generation)
                {
                    self.replica.note_replayed(*generation);
                    self.pending = None;
                }
                Answer::Nothing
            }
            Reply::Join { step, counters } => {
                self.replica.note_counters(counters);
                if let (JoinStep::Holds { number, incarnation, .. }, Request::Join { user, .. }) =
                    (step, request)
                {
                    self.replica.note_incarnation(incarnation);
                    self.replica.note_holder(*user, number);
                }
                joined(step)
            }
            Reply::Place { state, version, counters } => {
                self.replica.note_counters(counters);
                self.replica.note_version(version);
                self.place_answered(request, state, version)
            }
            Reply::Settled { is_settled, ceiling } => {
                if let Request::Settle { generation, .. } = request
                    && is_settled
                {
                    self.reserved = (*generation, self.reserved.1.max(ceiling));
                }
                Answer::Nothing
            }
        }
    }

    fn place_answered(
        &mut self,
        request: &Request,
        state: Result<PlaceStatus, Refused>,
        version: u64,
    ) -> Answer {
        match (request, state) {
            (Request::Claim { user, shown }, Ok(PlaceStatus::Active { until })) => {
                self.replica.note_session(&place(*user, *shown), until, version);
                Answer::LetIn
            }
            (Request::Leave { user, shown }, Ok(was)) => {
                self.replica.note_left(&place(*user, *shown), was == PlaceStatus::Waiting);
                Answer::Left
            }
            (_, Err(refused)) => refusal(refused),
            (_, Ok(_)) => Answer::Nothing,
        }
    }

    /// The position of a number.
    pub(super) fn position(&self, number: QueueNumber) -> u64 {
        self.replica.vacant().position_of(number, self.replica.witness().counters).get()
    }
}

fn joined(step: JoinStep) -> Answer {
    match step {
        JoinStep::Holds { number, rejoined, place_status, .. } => {
            Answer::Joined { number: number.get(), rejoined, stand: stand_of(place_status) }
        }
        JoinStep::Full => Answer::Full,
        JoinStep::AboveCeiling => Answer::AboveCeiling,
        JoinStep::NotReady | JoinStep::ViewBehind => Answer::NotReady,
    }
}

pub(super) fn stand_of(place_status: PlaceStatus) -> Stand {
    match place_status {
        PlaceStatus::Waiting => Stand::Waiting,
        PlaceStatus::Called { .. } => Stand::Called,
        PlaceStatus::Active { .. } => Stand::Inside,
        PlaceStatus::Gone => Stand::Gone,
    }
}

fn refusal(refused: Refused) -> Answer {
    match refused {
        Refused::NotFound => Answer::NotFound,
        Refused::NotYet => Answer::NotYet,
        Refused::Gone => Answer::Gone,
        Refused::NotHolder => Answer::NotHolder,
        Refused::NotReady => Answer::NotReady,
    }
}

pub(super) fn place(user: UserId, shown: Shown) -> TokenClaims {
    let Shown { incarnation, number } = shown;
    TokenClaims { queue: queue(), incarnation, number, user, issued_at: Timestamp::UNIX_EPOCH }
}

/// The incarnation of the rehearsal whose tokens visitors show.
pub(super) fn rehearsal() -> Incarnation {
    // The number is always valid.
    Incarnation::new(7).unwrap_or_else(|_| unreachable!())
}

fn queue() -> QueueId {
    // The text is always valid.
    QueueId::parse("model").unwrap_or_else(|_| unreachable!())
}
