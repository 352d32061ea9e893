//! A store, its nodes and its users: one state of a run, and the transition for each action.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::queue::{
    Change, Checkpoint, JoinStep, Memory, QueueCounters, QueueNumber, QueueState, QueueTime,
    Refresh, Shown as TokenShows, UserId, Witness,
};

use super::action::{Action, Answer, INTRUDER, Shown, StoreCall};
use super::fault::Fault;
use super::initial_state::{Budgets, RESERVE, Scene};
use super::ledger::{Fate, Ledger};
use super::rule::Rule;
use super::server::{Node, Reply, Request, SECOND, Server, rehearsal};

/// A delayed request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Flight {
    node: usize,
    /// The id of the process that sent it: an answer to an ended process is lost.
    id: u8,
    witness: Witness,
    /// The server process that it was sent to.
    process: u64,
    request: Request,
    /// The answer, once the request is executed.
    pub(super) reply: Option<Reply>,
}

/// A replica that receives no further changes, and the ledger at the time of the copy.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Copied {
    state: QueueState,
    ledger: Ledger,
}

/// A counter that does not distinguish states.
#[derive(Clone, Copy, Debug, Default)]
struct Steps(usize);

impl PartialEq for Steps {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Steps {}

impl Hash for Steps {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// One state of a run.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct World {
    pub(super) scene: Scene,
    pub(super) left: Budgets,
    pub(super) server: Server,
    pub(super) copy: Option<Arc<Copied>>,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) started: u8,
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) flight: Option<Arc<Flight>>,
    pub(super) ledger: Ledger,
    /// The nodes that have refreshed since the last other action, as bits: another refresh would
    /// change nothing.
    pub(super) fresh: u8,
    /// The number of actions since the opening.
    steps: Steps,
    pub(super) broken: Option<Rule>,
}

impl World {
    /// An empty store that no node has contacted; `None` if the scene's policy is invalid.
    #[must_use]
    pub fn new(scene: Scene) -> Option<Self> {
        let state = Self::empty(&scene)?;
        let mut world = Self {
            scene,
            left: scene.budgets,
            server: Server::new(&scene, state),
            copy: None,
            nodes: vec![None; scene.nodes],
            started: 0,
            checkpoint: None,
            flight: None,
            ledger: Ledger::default(),
            fresh: 0,
            steps: Steps::default(),
            broken: None,
        };
        for node in 0..scene.nodes {
            world.start(node);
        }
        Some(world)
    }

    /// The rule that was broken, if any.
    #[must_use]
    pub fn broken(&self) -> Option<Rule> {
        self.broken
    }

    fn empty(scene: &Scene) -> Option<QueueState> {
        let recovery = match scene.fault {
            Some(Fault::DoubtEndsEarly) => std::time::Duration::ZERO,
            Some(_) | None => scene.recovery,
        };
        Some(QueueState::new(scene.policy().ok()?, recovery))
    }

    /// Performs an action; `None` if it is impossible.
    pub fn apply(&mut self, action: Action) -> Option<Answer> {
        self.spend(action)?;
        let answer = match action {
            Action::Do { node, call } => self.call(node, call)?,
            Action::Refresh(node) => self.refresh(node)?,
            Action::Show { node, number } => self.show(node, number)?,
            Action::Pass(nodes) => self.pass(nodes),
            Action::Send { node, call } => self.send(node, call)?,
            Action::Execute => self.execute_late()?,
            Action::Deliver => self.deliver_late()?,
            Action::Drop => self.drop_late()?,
            Action::Stop(node) => {
                self.nodes.get_mut(node)?.take()?;
                Answer::Nothing
            }
            Action::Start(node) => {
                if self.nodes.get(node)?.is_some() {
                    return None;
                }
                self.start(node);
                Answer::Nothing
            }
            Action::Lose => {
                self.server.state = Self::empty(&self.scene)?;
                self.ledger.note_process(None, true);
                Answer::Nothing
            }
            Action::Restart => {
                self.server.process += 1;
                self.ledger.note_process(None, false);
                Answer::Nothing
            }
            Action::Copy => {
                let copied =
                    Copied { state: self.server.state.clone(), ledger: self.ledger.clone() };
                self.copy = Some(Arc::new(copied));
                Answer::Nothing
            }
            Action::Promote => {
                let copy = self.copy.take()?;
                self.server.state = copy.state.clone();
                self.server.process += 1;
                self.ledger.note_process(Some(&copy.ledger), true);
                Answer::Nothing
            }
            Action::Clock(seconds) => {
                let by = seconds.unsigned_abs() * SECOND;
                let clock = &mut self.server.clock;
                *clock = if seconds > 0 { *clock + by } else { clock.saturating_sub(by) };
                self.ledger.note_clock_step();
                Answer::Nothing
            }
            Action::Save(node) => self.save(node)?,
        };
        self.steps.0 += 1;
        self.fresh = if let Action::Refresh(node) = action {
            self.fresh | 1 << node
        } else if let Action::Pass(nodes) = action {
            nodes
        } else {
            0
        };
        self.judge();
        Some(answer)
    }

    pub(super) fn start(&mut self, node: usize) {
        self.started += 1;
        self.nodes[node] = Some(Node::new(&self.scene, self.started));
    }

    fn node(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)?.as_ref()
    }

    fn node_mut(&mut self, node: usize) -> Option<&mut Node> {
        self.nodes.get_mut(node)?.as_mut()
    }

    /// The request that a node sends, and the node's witness.
    fn request(&mut self, node: usize, call: StoreCall) -> Option<(Witness, Request)> {
        let checkpoint = self.checkpoint;
        let refreshes = |request: &Request| {
            matches!(request, Request::Snapshot { .. } | Request::Replay { .. })
        };
        let is_refreshing = |flight: &Flight| flight.node == node && refreshes(&flight.request);
        // A node runs one refresh at a time: it waits for a delayed answer or abandons it.
        if matches!(call, StoreCall::Snapshot | StoreCall::Replay)
            && self.flight.as_deref().is_some_and(is_refreshing)
        {
            return None;
        }
        let shown_by = |shown: Shown| {
            let (user, number) = parsed(shown)?;
            let life =
                self.ledger.entries.iter().find(|held| held.user == user && held.number == number);
            let incarnation =
                life.filter(|_| shown.user != INTRUDER).map_or_else(rehearsal, |held| held.life);
            Some((user, TokenShows { incarnation, number }))
        };
        let requested = match call {
            StoreCall::Join { user, shown: Some(number) } => {
                Some(shown_by(Shown { user, number })?)
            }
            StoreCall::Claim(shown) | StoreCall::Leave(shown) => Some(shown_by(shown)?),
            StoreCall::Join { shown: None, .. }
            | StoreCall::Snapshot
            | StoreCall::Replay
            | StoreCall::Settle => None,
        };
        let node = self.node_mut(node)?;
        let request = match call {
            StoreCall::Snapshot => Request::Snapshot { shown: None },
            StoreCall::Replay => node.to_replay()?,
            StoreCall::Join { user, .. } => {
                let shown = requested.map(|(_, shown)| shown);
                Request::Join { user: UserId::new(user).ok()?, shown, ceiling: node.ceiling()? }
            }
            StoreCall::Claim(_) => {
                let (user, shown) = requested?;
                Request::Claim { user, shown }
            }
            StoreCall::Leave(_) => {
                let (user, shown) = requested?;
                node.replica.note_leaving(&super::server::place(user, shown));
                Request::Leave { user, shown }
            }
            StoreCall::Settle => {
                let generation = node.replica.witness().generation;
                if generation == 0 {
                    return None;
                }
                Request::Settle { generation, checkpoint }
            }
        };
        Some((node.replica.witness(), request))
    }

    pub(super) fn call(&mut self, node: usize, call: StoreCall) -> Option<Answer> {
        let (witness, request) = self.request(node, call)?;
        let id = self.node(node)?.id;
        let reply = self.execute(id, witness, &request);
        self.deliver(node, witness, &request, reply, true)
    }

    fn refresh(&mut self, node: usize) -> Option<Answer> {
        let answer = self.call(node, StoreCall::Snapshot)?;
        self.call(node, StoreCall::Replay);
        Some(answer)
    }

    /// A refresh with a rehearsal token, which must affect nothing but the numbers.
    fn show(&mut self, node: usize, number: u64) -> Option<Answer> {
        let (witness, _) = self.request(node, StoreCall::Snapshot)?;
        let shown = TokenShows { incarnation: rehearsal(), number: QueueNumber::new(number).ok()? };
        let mut said = witness;
        if self.scene.fault == Some(Fault::ShownIsWitness) {
            said.counters = said.counters.raised_to(QueueCounters::new(number, 0));
        }
        let mut without = self.server.clone();
        without.begin(witness);
        let id = self.node(node)?.id;
        let request = Request::Snapshot { shown: Some(shown) };
        let reply = self.execute(id, said, &request);
        let (seen, unseen) = (self.server.state.snapshot(), without.state.snapshot());
        if (seen.generation, seen.recovers) != (unseen.generation, unseen.recovers) {
            self.breaks(Rule::DoubtByVisitor);
        }
        if seen.vacant.people_waiting(seen.counters) > unseen.vacant.people_waiting(unseen.counters)
        {
            self.breaks(Rule::PhantomsByVisitor);
        }
        let answer = self.deliver(node, witness, &request, reply, true);
        self.call(node, StoreCall::Replay);
        answer
    }

    pub(super) fn pass(&mut self, nodes: u8) -> Answer {
        self.server.clock += SECOND;
        self.ledger.now += SECOND;
        let refreshed = (0..self.nodes.len()).filter(|node| nodes >> node & 1 == 1);
        let refreshed: Vec<usize> = refreshed.collect();
        refreshed
            .into_iter()
            .filter_map(|node| self.refresh(node))
            .last()
            .unwrap_or(Answer::Nothing)
    }

    fn save(&mut self, node: usize) -> Option<Answer> {
        let Witness { counters, incarnations, .. } = self.node(node)?.replica.witness();
        if incarnations.is_empty() {
            return Some(Answer::Nothing);
        }
        let saved =
            Checkpoint::new(counters, counters.last() + RESERVE).with_incarnations(incarnations);
        let saved = self.checkpoint.map_or(saved, |before| before.raised_to(saved));
        self.checkpoint = Some(saved);
        self.node_mut(node)?.note_saved(saved.ceiling);
        Some(Answer::Nothing)
    }

    fn send(&mut self, node: usize, call: StoreCall) -> Option<Answer> {
        let (witness, request) = self.request(node, call)?;
        let id = self.node(node)?.id;
        let process = self.server.process;
        self.flight = Some(Arc::new(Flight { node, id, witness, process, request, reply: None }));
        Some(Answer::Nothing)
    }

    fn execute_late(&mut self) -> Option<Answer> {
        let mut flight = Arc::unwrap_or_clone(self.flight.take()?);
        // A request waits for a new server only if its node receives no other answer meanwhile.
        let waited =
            self.node(flight.node).is_some_and(|node| node.replica.witness() == flight.witness);
        if flight.reply.is_some() || flight.process != self.server.process && !waited {
            return None;
        }
        flight.reply = Some(self.execute(flight.id, flight.witness, &flight.request));
        self.flight = Some(Arc::new(flight));
        Some(Answer::Nothing)
    }

    fn deliver_late(&mut self) -> Option<Answer> {
        let Flight { node, id, witness, request, reply, .. } =
            Arc::unwrap_or_clone(self.flight.take()?);
        let reply = reply?;
        if self.node(node).is_none_or(|now| now.id != id) {
            self.forget(&request);
            return Some(Answer::Nothing);
        }
        self.deliver(node, witness, &request, reply, false)
    }

    fn drop_late(&mut self) -> Option<Answer> {
        let flight = self.flight.take()?;
        if flight.reply.is_some() {
            self.forget(&flight.request);
        }
        Some(Answer::Nothing)
    }

    /// Records that an answer was lost: its user was promised nothing until they retry.
    fn forget(&mut self, request: &Request) {
        if let Request::Claim { user, shown } | Request::Leave { user, shown } = request
            && let Some(entry) = self.ledger.entry(*user, shown.number)
        {
            entry.is_known = false;
        }
    }

    /// Executes a request on the store.
    fn execute(&mut self, id: u8, witness: Witness, request: &Request) -> Reply {
        let marks = self.server.state.marks();
        let began = self.server.clock;
        let visit = self.server.begin(witness);
        self.ledger.now += self.server.clock - began;
        let now = self.server.state.marks().time;
        self.ledger.note_step(&witness, (marks.time, marks.counters), now);
        if witness.replayed == self.server.state.marks().generation {
            self.note_replayed(id, &[]);
        }
        let before = self.server.state.snapshot();
        if !before.incarnations.is_empty() {
            self.ledger.lives_since.get_or_insert(now);
        }
        let reply = self.server.answer(&visit, &witness, request);
        if self.server.state.incarnations() != before.incarnations && !self.may_adopt(request, now)
        {
            self.breaks(Rule::LateAdoption);
        }
        if !self.ledger.is_time_right() {
            self.breaks(Rule::TimeOff);
        }
        let after = self.server.state.snapshot();
        let called = after.counters.serving() > before.counters.serving();
        let taken = after.called + after.active;
        if called
            && !matches!(request, Request::Settle { .. })
            && taken > self.scene.policy.max_active.into()
        {
            self.breaks(Rule::CalledTooMany);
        }
        self.note_executed(id, request, &reply);
        // Anything that ends with this step has ended before the node learns of it.
        self.judge();
        reply
    }

    /// Whether this request may add an incarnation to the store: a checkpoint may, and a token may
    /// while the store is new.
    fn may_adopt(&self, request: &Request, now: QueueTime) -> bool {
        let is_young = |since| now.since(since) < QueueState::ADOPTION;
        let is_new = self.ledger.lives_since.is_some_and(is_young) && !self.scene.needs_checkpoint;
        is_new || matches!(request, Request::Settle { .. })
    }

    /// Delivers an answer to the node and to the user who waits for it.
    fn deliver(
        &mut self,
        node: usize,
        witness: Witness,
        request: &Request,
        reply: Reply,
        is_prompt: bool,
    ) -> Option<Answer> {
        if let Reply::Snapshot { refresh, .. } = &reply {
            let counters = refresh.counters;
            if counters.last() < witness.counters.last()
                || counters.serving() < witness.counters.serving()
            {
                self.breaks(Rule::QueueBack);
            }
        }
        let given = if let Reply::Join { step: JoinStep::Holds { incarnation, .. }, .. } = &reply {
            Some(*incarnation)
        } else {
            None
        };
        let looked =
            if let Reply::Snapshot { refresh, .. } = &reply { Some(refresh.clone()) } else { None };
        let now = self.nodes.get_mut(node)?.as_mut()?;
        let id = now.id;
        let generation = self.server.state.marks().generation;
        let is_new = |refresh: &Refresh| refresh.generation != now.replica.witness().generation;
        let is_ignored = self.scene.fault == Some(Fault::GenerationIgnored);
        if looked.as_ref().is_some_and(|refresh| is_ignored || is_new(refresh)) {
            self.ledger.note_generation(id);
        }
        let answer = now.receive(request, reply);
        if is_ignored && looked.is_some() {
            now.replica.note_replayed(generation);
        }
        if let Some(refresh) = looked {
            let remembered = now.replica.memories();
            let remembers = |number: u64| {
                let is_its_session = |memory: &Memory| matches!(memory, Memory::Change(Change::Claimed { number: own, .. }) if *own == number);
                remembered.iter().any(is_its_session)
            };
            self.ledger.note_followed(id, &refresh, is_prompt, remembers);
            let has_ranges = now.replica.vacant().ranges().next().is_some();
            if !has_ranges
                && let Some(rule) = self.ledger.note_positions(id, |number| now.position(number))
            {
                self.breaks(rule);
            }
        }
        let place = match (request, answer) {
            (Request::Join { user, .. }, Answer::Joined { number, .. }) => {
                Some((*user, QueueNumber::new(number).ok()?))
            }
            (Request::Claim { user, shown }, Answer::LetIn)
            | (Request::Leave { user, shown }, Answer::Left) => Some((*user, shown.number)),
            _ => None,
        };
        if let Some((user, number)) = place
            && let Some(entry) = self.ledger.entry(user, number)
        {
            entry.is_acknowledged = true;
            entry.life = given.unwrap_or(entry.life);
            // A node does not record a session that its user finds by joining.
            if !(matches!(request, Request::Join { .. }) && entry.fate == Fate::Inside) {
                entry.is_notified(id);
            }
        }
        Some(answer)
    }

    /// The number of actions since the opening.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.0
    }

    /// Starts counting from here, with these budgets.
    pub(super) fn begin_with(&mut self, budgets: Budgets) {
        (self.left, self.scene.budgets) = (budgets, budgets);
        self.steps = Steps::default();
    }

    /// Whether to follow this state until the queue is at rest; this is expensive, so only a sample
    /// is followed.
    pub(super) fn is_sampled(&self) -> bool {
        let marks = self.server.state.marks();
        let mixed = marks.time.as_micros() / 1_000 + marks.version * 7 + self.server.clock / 1_000;
        self.left.faults < self.scene.budgets.faults && mixed.is_multiple_of(64)
    }
}

fn parsed(shown: Shown) -> Option<(UserId, QueueNumber)> {
    Some((UserId::new(shown.user).ok()?, QueueNumber::new(shown.number).ok()?))
}
