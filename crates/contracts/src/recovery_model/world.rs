//! A store, its nodes, and the people: one state of a run, and what each action makes of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::queue::{
    Change, Checkpoint, Expiry, JoinStep, Line, Memory, QueueNumber, QueueState, Refresh, Refused, Standing,
    UserId, Witness,
};

use super::action::{Action, Answer, Ask, Shown};
use super::fault::Fault;
use super::ledger::{Fate, Ledger, bit, spent};
use super::rule::Rule;
use super::scene::{Budgets, RESERVE, Scene};
use super::server::{Node, Reply, Request, SECOND, Server};

/// A request that takes its time.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Flight {
    node: usize,
    /// Of the process that sent it: an answer to one that has ended reaches nobody.
    id: u8,
    witness: Witness,
    /// The server process it was sent to.
    process: u64,
    request: Request,
    /// The answer, once the request was executed.
    reply: Option<Reply>,
}

/// A replica that gets nothing new, and what was true when it was cut off.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Copied {
    state: QueueState,
    ledger: Ledger,
}

/// A count that makes no state another.
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
    copy: Option<Arc<Copied>>,
    pub(super) nodes: Vec<Option<Node>>,
    started: u8,
    checkpoint: Option<Checkpoint>,
    flight: Option<Arc<Flight>>,
    pub(super) ledger: Ledger,
    /// Nodes that have refreshed since anything else happened, by their bits: another refresh would change nothing.
    fresh: u8,
    /// Actions since the opening.
    steps: Steps,
    pub(super) broken: Option<Rule>,
}

impl World {
    /// An empty store that no node has visited; `None` where the scene's policy is none.
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

    /// What may happen next, within the budgets.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let left = self.left;
        let up: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()).collect();
        for &node in &up {
            self.add_asks(node, &mut actions);
        }
        if left.seconds > 0 {
            let all = up.iter().fold(0, |mask, node| mask | 1 << node);
            actions.push(Action::Pass(all));
            if up.len() > 1 {
                actions.extend(up.iter().map(|node| Action::Pass(1 << node)));
            }
            if !up.is_empty() {
                actions.push(Action::Pass(0));
            }
        }
        match self.flight.as_deref() {
            Some(Flight { reply: None, .. }) => actions.extend([Action::Execute, Action::Drop]),
            Some(Flight { reply: Some(_), .. }) => actions.extend([Action::Deliver, Action::Drop]),
            None => {}
        }
        if left.faults > 0 {
            if left.losses > 0 {
                actions.push(Action::Lose);
            }
            if left.restarts > 0 {
                actions.push(Action::Restart);
            }
            if left.clock_steps > 0 {
                actions.extend([Action::Clock(60), Action::Clock(-60)]);
            }
            if left.stops > 0 {
                actions.extend(up.iter().map(|node| Action::Stop(*node)));
            }
            if left.promotions > 0 {
                actions.push(if self.copy.is_none() { Action::Copy } else { Action::Promote });
            }
        }
        if left.starts > 0 {
            let down = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_none());
            actions.extend(down.map(Action::Start));
        }
        actions
    }

    fn add_asks(&self, node: usize, actions: &mut Vec<Action>) {
        let left = self.left;
        let mut asks = Vec::new();
        // Those who never joined are all alike.
        let known = (1..=self.scene.users).take_while(|user| self.ledger.token(*user).is_some()).count();
        for user in 1..=self.scene.users.min(known as u64 + 1) {
            let token = self.ledger.token(user);
            let is_over = |fate| matches!(fate, Fate::Left | Fate::Over);
            if left.joins > 0 {
                match token {
                    None => asks.push(Ask::Join { user, shown: None }),
                    Some(token) => {
                        let shown = Some(token.number.get());
                        asks.extend([Ask::Join { user, shown }, Ask::Join { user, shown: None }]);
                    }
                }
            }
            let Some(token) = token else { continue };
            let shown = Shown { user, number: token.number.get() };
            if left.claims > 0 && shown.number <= self.server.state.marks().line.serving() {
                asks.push(Ask::Claim(shown));
            }
            if left.leaves > 0 && !is_over(token.fate) {
                asks.push(Ask::Leave(shown));
            }
        }
        if left.settles > 0 && self.scene.needs_checkpoint {
            asks.push(Ask::Settle);
            actions.push(Action::Save(node));
        }
        if left.looks > 0 {
            actions.push(Action::Do { node, ask: Ask::Look });
        }
        if self.fresh >> node & 1 == 0 {
            actions.push(Action::Refresh(node));
        }
        if left.late > 0 && self.flight.is_none() {
            let replay = self.nodes[node].as_ref().and_then(Node::to_replay).map(|_| Ask::Replay);
            let late = asks.iter().copied().chain([Ask::Look]).chain(replay);
            actions.extend(late.map(|ask| Action::Send { node, ask }));
        }
        actions.extend(asks.into_iter().map(|ask| Action::Do { node, ask }));
    }

    /// Lets this happen; `None` where it cannot.
    pub fn apply(&mut self, action: Action) -> Option<Answer> {
        self.spend(action)?;
        let answer = match action {
            Action::Do { node, ask } => self.ask(node, ask)?,
            Action::Refresh(node) => self.refresh(node)?,
            Action::Pass(nodes) => self.pass(nodes),
            Action::Send { node, ask } => self.send(node, ask)?,
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
                let copied = Copied { state: self.server.state.clone(), ledger: self.ledger.clone() };
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
        self.fresh = match action {
            Action::Refresh(node) => self.fresh | 1 << node,
            Action::Pass(nodes) => nodes,
            _ => 0,
        };
        self.judge();
        Some(answer)
    }

    /// Takes an action from its budgets.
    fn spend(&mut self, action: Action) -> Option<()> {
        let left = &mut self.left;
        let is_fault = matches!(
            action,
            Action::Lose | Action::Restart | Action::Promote | Action::Clock(_) | Action::Stop(_)
        );
        if is_fault {
            left.faults = left.faults.checked_sub(1)?;
        }
        let ask = |left: &mut Budgets, ask| match ask {
            Ask::Look => left.looks.checked_sub(1).map(|rest| left.looks = rest),
            Ask::Replay => Some(()),
            Ask::Join { .. } => left.joins.checked_sub(1).map(|rest| left.joins = rest),
            Ask::Claim(_) => left.claims.checked_sub(1).map(|rest| left.claims = rest),
            Ask::Leave(_) => left.leaves.checked_sub(1).map(|rest| left.leaves = rest),
            Ask::Settle => left.settles.checked_sub(1).map(|rest| left.settles = rest),
        };
        match action {
            Action::Do { ask: asked, .. } => ask(left, asked)?,
            Action::Send { ask: asked, .. } => {
                left.late = left.late.checked_sub(1)?;
                if asked != Ask::Look {
                    ask(left, asked)?;
                }
            }
            Action::Pass(_) => left.seconds = left.seconds.checked_sub(1)?,
            Action::Lose => left.losses = left.losses.checked_sub(1)?,
            Action::Restart => left.restarts = left.restarts.checked_sub(1)?,
            Action::Promote => left.promotions = left.promotions.checked_sub(1)?,
            Action::Clock(_) => left.clock_steps = left.clock_steps.checked_sub(1)?,
            Action::Stop(_) => left.stops = left.stops.checked_sub(1)?,
            Action::Start(_) => left.starts = left.starts.checked_sub(1)?,
            Action::Save(_) => left.settles = left.settles.checked_sub(1)?,
            Action::Refresh(_) | Action::Execute | Action::Deliver | Action::Drop | Action::Copy => {}
        }
        Some(())
    }

    fn start(&mut self, node: usize) {
        self.started += 1;
        self.nodes[node] = Some(Node::new(&self.scene, self.started));
    }

    fn node(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)?.as_ref()
    }

    fn node_mut(&mut self, node: usize) -> Option<&mut Node> {
        self.nodes.get_mut(node)?.as_mut()
    }

    /// The request a node sends, and what it says of itself.
    fn request(&mut self, node: usize, ask: Ask) -> Option<(Witness, Request)> {
        let checkpoint = self.checkpoint;
        let node = self.node_mut(node)?;
        let request = match ask {
            Ask::Look => Request::Look,
            Ask::Replay => node.to_replay()?,
            Ask::Join { user, shown } => {
                let shown = shown.map(QueueNumber::new).transpose().ok()?;
                if let Some(shown) = shown {
                    node.replica.note_line(Line::new(shown.get(), 0));
                }
                Request::Join { user: UserId::new(user).ok()?, shown, ceiling: node.ceiling()? }
            }
            Ask::Claim(shown) => {
                let (user, number) = parsed(shown)?;
                Request::Claim { user, number }
            }
            Ask::Leave(shown) => {
                let (user, number) = parsed(shown)?;
                node.replica.note_leaving(&super::server::place(user, number));
                Request::Leave { user, number }
            }
            Ask::Settle => {
                let generation = node.replica.witness().generation;
                if generation == 0 {
                    return None;
                }
                Request::Settle { generation, checkpoint }
            }
        };
        Some((node.replica.witness(), request))
    }

    fn ask(&mut self, node: usize, ask: Ask) -> Option<Answer> {
        let (witness, request) = self.request(node, ask)?;
        let id = self.node(node)?.id;
        let reply = self.execute(id, witness, &request);
        self.deliver(node, witness, &request, reply, true)
    }

    fn refresh(&mut self, node: usize) -> Option<Answer> {
        let answer = self.ask(node, Ask::Look)?;
        self.ask(node, Ask::Replay);
        Some(answer)
    }

    fn pass(&mut self, nodes: u8) -> Answer {
        self.server.clock += SECOND;
        self.ledger.now += SECOND;
        let refreshed = (0..self.nodes.len()).filter(|node| nodes >> node & 1 == 1);
        let refreshed: Vec<usize> = refreshed.collect();
        refreshed.into_iter().filter_map(|node| self.refresh(node)).last().unwrap_or(Answer::Nothing)
    }

    fn save(&mut self, node: usize) -> Option<Answer> {
        let line = self.node(node)?.replica.witness().line;
        let saved = Checkpoint::new(line, line.last() + RESERVE);
        let saved = self.checkpoint.map_or(saved, |before| before.raised_to(saved));
        self.checkpoint = Some(saved);
        self.node_mut(node)?.note_saved(saved.ceiling);
        Some(Answer::Nothing)
    }

    fn send(&mut self, node: usize, ask: Ask) -> Option<Answer> {
        let (witness, request) = self.request(node, ask)?;
        let id = self.node(node)?.id;
        let process = self.server.process;
        self.flight = Some(Arc::new(Flight { node, id, witness, process, request, reply: None }));
        Some(Answer::Nothing)
    }

    fn execute_late(&mut self) -> Option<Answer> {
        let mut flight = Arc::unwrap_or_clone(self.flight.take()?);
        // A request waits for another server only while its node can be told nothing.
        let waited = self.node(flight.node).is_some_and(|node| node.replica.witness() == flight.witness);
        if flight.reply.is_some() || flight.process != self.server.process && !waited {
            return None;
        }
        flight.reply = Some(self.execute(flight.id, flight.witness, &flight.request));
        self.flight = Some(Arc::new(flight));
        Some(Answer::Nothing)
    }

    fn deliver_late(&mut self) -> Option<Answer> {
        let Flight { node, id, witness, request, reply, .. } = Arc::unwrap_or_clone(self.flight.take()?);
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

    /// An answer that reaches nobody: its user can rely on nothing that is said of their place until they ask again.
    fn forget(&mut self, request: &Request) {
        if let Request::Claim { user, number } | Request::Leave { user, number } = request
            && let Some(entry) = self.ledger.entry(*user, *number)
        {
            entry.is_known = false;
        }
    }

    /// The store carries a request out.
    fn execute(&mut self, id: u8, witness: Witness, request: &Request) -> Reply {
        let marks = self.server.state.marks();
        let began = self.server.clock;
        let visit = self.server.begin(witness);
        self.ledger.now += self.server.clock - began;
        let now = self.server.state.marks().time;
        self.ledger.note_step(&witness, (marks.time, marks.line), now);
        if witness.replayed == self.server.state.marks().generation {
            self.note_replayed(id, &[]);
        }
        let before = self.server.state.snapshot();
        let reply = self.server.answer(&visit, &witness, request);
        if !self.ledger.is_time_right() {
            self.breaks(Rule::TimeOff);
        }
        let after = self.server.state.snapshot();
        let called = after.line.serving() > before.line.serving();
        let taken = after.called + after.active;
        if called && !matches!(request, Request::Settle { .. }) && taken > self.scene.policy.max_active.into()
        {
            self.breaks(Rule::CalledTooMany);
        }
        self.note_executed(id, request, &reply);
        // What ends with this step is over before the node hears of it.
        self.judge();
        reply
    }

    fn note_executed(&mut self, id: u8, request: &Request, reply: &Reply) {
        match (request, reply) {
            (
                Request::Join { user, shown, .. },
                Reply::Join { step: JoinStep::Holds { number, rejoined, standing }, .. },
            ) => self.note_joined(id, *user, shown.is_some(), *number, *rejoined, *standing),
            (Request::Claim { user, number }, Reply::Place { state: Ok(Standing::Active { until }), .. }) => {
                self.note_let_in(*user, *number, *until)
            }
            (Request::Leave { user, number }, Reply::Place { state: Ok(_), .. }) => {
                if let Some(entry) = self.ledger.entry(*user, *number) {
                    entry.become_known(Fate::Left);
                }
            }
            (Request::Replay { memories, .. }, Reply::Replay { is_current: true }) => {
                self.note_replayed(id, memories);
            }
            _ => {}
        }
    }

    fn note_replayed(&mut self, id: u8, memories: &[Memory]) {
        let (server, policy) = (&self.server, self.scene.policy);
        let is_full = server.state.snapshot().active >= policy.max_active.into();
        let mut broken = None;
        self.ledger.note_replayed(id, |entry| {
            let is_inside = matches!(server.stand(entry.user, entry.number), Ok(Standing::Active { .. }));
            if entry.fate == Fate::Inside && !entry.is_disputed && !is_inside {
                if is_full {
                    // Others have the slots by now: it is called again.
                    entry.begin_again(Fate::Held);
                } else if entry.ran < micros(policy.session_ttl) {
                    broken = Some(Rule::SessionCut);
                }
            }
        });
        for memory in memories {
            // Nodes reckon the time that a session has left from when each of them finds the new store: one that comes later
            // lets it run for longer.
            if let Memory::Change(Change::Claimed { number, .. }) = memory {
                let over = self.ledger.entries.iter_mut();
                let over = over.filter(|entry| {
                    entry.number.get() == *number && matches!(entry.fate, Fate::Over | Fate::Held)
                });
                for entry in over {
                    match server.stand(entry.user, entry.number) {
                        Ok(Standing::Active { .. }) => entry.begin_again(Fate::Inside),
                        Ok(_) if is_full => entry.begin_again(Fate::Held),
                        Ok(_) | Err(_) => {}
                    }
                }
            }
        }
        if let Some(rule) = broken {
            self.breaks(rule);
        }
    }

    fn note_joined(
        &mut self,
        id: u8,
        user: UserId,
        shows: bool,
        number: QueueNumber,
        rejoined: bool,
        standing: Standing,
    ) {
        if !rejoined {
            let holds = self.ledger.entries.iter().any(|entry| {
                let is_held = matches!(entry.fate, Fate::Held | Fate::Inside);
                let is_theirs = entry.user == user && entry.number != number;
                let is_known = entry.is_known || entry.nodes & bit(id) != 0;
                let is_promised = entry.is_told && is_known && !entry.is_disputed;
                is_theirs && is_held && is_promised && self.server.stand(user, entry.number).is_ok()
            });
            if holds {
                self.breaks(Rule::UserTwice);
            }
        }
        let others = |entry: &&super::ledger::Entry| entry.number == number && entry.user != user;
        if self.ledger.entries.iter().any(|entry| others(&entry)) {
            let was_disputed = self.ledger.entries.iter().filter(others).any(|entry| entry.is_disputed);
            if !was_disputed && !self.may_repeat(number) {
                self.breaks(Rule::NumberTwice);
            }
            let all = self.ledger.entries.iter_mut().filter(|entry| entry.number == number);
            all.for_each(|entry| entry.is_disputed = true);
        }
        let was =
            self.ledger.entry(user, number).map(|entry| (entry.fate, entry.is_known, entry.is_disputed));
        match was {
            Some((Fate::Left, true, false)) => self.breaks(Rule::Undead),
            Some((Fate::Over, true, false)) => self.breaks(Rule::StandsAgain),
            _ => {}
        }
        let is_disputed = self.ledger.entries.iter().any(|entry| entry.number == number && entry.is_disputed);
        self.ledger.give(user, number, standing, &self.scene.policy).is_disputed |= is_disputed;
        if shows {
            // Of two places the younger was given up.
            let server = &self.server;
            let given_up = self.ledger.entries.iter_mut().filter(|entry| {
                let is_held = matches!(entry.fate, Fate::Held | Fate::Inside);
                entry.user == user && entry.number > number && is_held
            });
            for entry in given_up {
                if server.stand(user, entry.number).is_err() {
                    entry.become_known(Fate::Left);
                }
            }
        }
    }

    /// Whether no witness could have kept this number from being given again.
    fn may_repeat(&self, number: QueueNumber) -> bool {
        let ledger = &self.ledger;
        if ledger.heard.last() >= number.get() {
            return false;
        }
        let ceiling = self.checkpoint.map_or(0, |known| known.ceiling);
        if self.scene.needs_checkpoint && number.get() <= ceiling {
            return false;
        }
        let began = ledger.began.unwrap_or_default();
        let waited = self.server.state.marks().time.since(began);
        let remembers = |node: &Node| node.replica.witness().line.last() >= number.get();
        waited >= self.scene.recovery || !self.nodes.iter().flatten().any(remembers)
    }

    fn note_let_in(&mut self, user: UserId, number: QueueNumber, until: Expiry) {
        let server = &self.server;
        let is_other = |entry: &super::ledger::Entry| {
            let runs = u128::from(entry.ran) < self.scene.policy.session_ttl.as_micros();
            entry.number == number
                && entry.user != user
                && entry.fate == Fate::Inside
                && runs
                && entry.is_known
        };
        let two = self.ledger.entries.iter().any(is_other);
        let is_really = matches!(server.stand(user, number), Ok(Standing::Active { .. }));
        let was =
            self.ledger.entry(user, number).map(|entry| (entry.fate, entry.is_known, entry.is_disputed));
        if two || !is_really {
            self.breaks(Rule::TwoInside);
        }
        match was {
            Some((Fate::Left, true, false)) => self.breaks(Rule::Undead),
            Some((Fate::Over, true, false)) => self.breaks(Rule::StandsAgain),
            _ => {}
        }
        if let Some(entry) = self.ledger.entry(user, number)
            && !(entry.fate == Fate::Inside && entry.is_known)
        {
            entry.is_disputed |= matches!(entry.fate, Fate::Left | Fate::Over);
            entry.become_known(Fate::Inside);
            entry.ran = spent(self.scene.policy.session_ttl, until);
        }
    }

    /// The answer reaches the node, and the user who waits for it.
    fn deliver(
        &mut self,
        node: usize,
        witness: Witness,
        request: &Request,
        reply: Reply,
        is_prompt: bool,
    ) -> Option<Answer> {
        if let Reply::Look { refresh, .. } = &reply {
            let line = refresh.line;
            if line.last() < witness.line.last() || line.serving() < witness.line.serving() {
                self.breaks(Rule::QueueBack);
            }
        }
        let looked = match &reply {
            Reply::Look { refresh, .. } => Some(refresh.clone()),
            _ => None,
        };
        let now = self.nodes.get_mut(node)?.as_mut()?;
        let id = now.id;
        let generation = self.server.state.marks().generation;
        let is_new = |refresh: &Refresh| refresh.generation != now.replica.witness().generation;
        let is_ignored = self.scene.fault == Some(Fault::GenerationIgnored);
        if looked.as_ref().is_some_and(|refresh| is_ignored || is_new(refresh)) {
            self.ledger.note_generation(id);
        }
        let answer = now.take_in(request, reply);
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
            if !has_ranges && let Some(rule) = self.ledger.note_positions(id, |number| now.position(number)) {
                self.breaks(rule);
            }
        }
        let told = match (request, answer) {
            (Request::Join { user, .. }, Answer::Joined { number, .. }) => {
                Some((*user, QueueNumber::new(number).ok()?))
            }
            (Request::Claim { user, number }, Answer::LetIn)
            | (Request::Leave { user, number }, Answer::Left) => Some((*user, *number)),
            _ => None,
        };
        if let Some((user, number)) = told
            && let Some(entry) = self.ledger.entry(user, number)
        {
            entry.is_told = true;
            // Who finds a session by joining is told of it, but its node does not note it.
            if !(matches!(request, Request::Join { .. }) && entry.fate == Fate::Inside) {
                entry.is_told_to(id);
            }
        }
        Some(answer)
    }

    pub(super) fn breaks(&mut self, rule: Rule) {
        self.broken.get_or_insert(rule);
    }

    /// Compares the store with what people were told.
    fn judge(&mut self) {
        let snapshot = self.server.state.snapshot();
        if snapshot.active > self.scene.policy.max_active.into() {
            self.breaks(Rule::TooManyInside);
        }
        let ceiling = self.checkpoint.map_or(0, |known| known.ceiling);
        if self.scene.needs_checkpoint && snapshot.line.last() > ceiling {
            self.breaks(Rule::BeyondReserve);
        }
        if snapshot.recovers {
            return;
        }
        let mut state = self.server.state.clone();
        let policy = self.scene.policy;
        let (claim_within, session_ttl) = (micros(policy.claim_within), micros(policy.session_ttl));
        let is_first = self.ledger.stores == 0;
        let mut broken = None;
        let (mut first_waiting, mut last_called) = (u64::MAX, 0);
        for entry in &mut self.ledger.entries {
            if !entry.is_known || entry.is_disputed {
                continue;
            }
            let number = entry.number.get();
            let stand = state.standing(&super::server::place(entry.user, entry.number));
            match stand {
                Ok(Standing::Waiting) => first_waiting = first_waiting.min(number),
                Ok(Standing::Called { .. } | Standing::Active { .. }) => {
                    last_called = last_called.max(number)
                }
                Ok(Standing::Gone) | Err(_) => {}
            }
            match stand {
                Ok(Standing::Called { until }) if until.remaining > policy.claim_within => {
                    broken = broken.or(Some(Rule::CallTooLong));
                }
                Ok(Standing::Active { until }) if until.remaining > policy.session_ttl => {
                    broken = broken.or(Some(Rule::SessionTooLong));
                }
                Ok(_) | Err(_) => {}
            }
            let rule = match (entry.fate, stand) {
                (Fate::Left, Ok(_)) => Some(Rule::Undead),
                (Fate::Over, Ok(_)) => Some(Rule::StandsAgain),
                (Fate::Held, Err(Refused::NotHolder | Refused::NotFound)) => Some(Rule::PlaceLost),
                (Fate::Held, Ok(Standing::Called { .. })) => {
                    (is_first && entry.called_for > claim_within).then_some(Rule::CallTooLong)
                }
                (Fate::Held, Err(_)) => {
                    let is_over = entry.called_for >= claim_within;
                    if is_over {
                        (entry.fate, entry.nodes) = (Fate::Over, 0);
                    }
                    (!is_over).then_some(Rule::CallCut)
                }
                (Fate::Inside, Ok(Standing::Active { .. })) => {
                    (is_first && entry.ran > session_ttl).then_some(Rule::SessionTooLong)
                }
                (Fate::Inside, Err(Refused::NotHolder | Refused::NotFound)) if entry.ran < session_ttl => {
                    Some(Rule::TwoInside)
                }
                (Fate::Inside, Err(_)) => {
                    let is_over = entry.ran >= session_ttl;
                    if is_over {
                        (entry.fate, entry.nodes) = (Fate::Over, 0);
                    }
                    (!is_over).then_some(Rule::SessionCut)
                }
                (Fate::Left | Fate::Over, Err(_)) | (Fate::Held | Fate::Inside, Ok(_)) => None,
            };
            broken = broken.or(rule);
        }
        if is_first && first_waiting < last_called {
            broken = broken.or(Some(Rule::OutOfOrder));
        }
        if let Some(rule) = broken {
            self.breaks(rule);
        }
    }

    /// Actions since the opening.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.0
    }

    /// From here on so much may happen.
    pub(super) fn begin_with(&mut self, budgets: Budgets) {
        (self.left, self.scene.budgets) = (budgets, budgets);
        self.steps = Steps::default();
    }

    /// Whether this state is one of those that are followed until the queue is at rest, which takes long.
    pub(super) fn is_sampled(&self) -> bool {
        let marks = self.server.state.marks();
        let mixed = marks.time.as_micros() / 1_000 + marks.version * 7 + self.server.clock / 1_000;
        self.left.faults < self.scene.budgets.faults && mixed % 64 == 0
    }

    /// What becomes of the queue where nothing fails any more and nobody does anything: those who wait are called, and in
    /// the end no slot is taken.
    #[must_use]
    pub fn comes_to_rest(&self) -> Option<Rule> {
        const SECONDS: usize = 32;
        let mut world = self.clone();
        world.flight = None;
        if world.nodes.iter().all(Option::is_none) {
            world.start(0);
        }
        for _ in 0..SECONDS {
            world.pass(u8::MAX);
            if self.scene.needs_checkpoint {
                for node in 0..world.nodes.len() {
                    _ = world.ask(node, Ask::Settle);
                }
            }
            let seen = world.server.state.snapshot();
            let is_over = seen.called == 0 && seen.active == 0 && seen.vacant.people_waiting(seen.line) == 0;
            if is_over && !seen.recovers {
                return None;
            }
        }
        let seen = world.server.state.snapshot();
        let waits = seen.vacant.people_waiting(seen.line) > 0;
        Some(if waits { Rule::StandsStill } else { Rule::SlotLeak })
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn parsed(shown: Shown) -> Option<(UserId, QueueNumber)> {
    Some((UserId::new(shown.user).ok()?, QueueNumber::new(shown.number).ok()?))
}
