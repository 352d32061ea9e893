//! Queues of two or three nodes, step by step.

mod accepted_tokens;
mod calling;
mod clocks;
mod doubts;
mod joining;
mod numbers_without_holder;
mod places;
mod replays;
mod settling;
mod skipped;
mod starting;

use super::*;
use crate::queue::{
    Expiry, Incarnation, PlaceStatus, PolicySpec, QueueId, QueueNumber, Replica, Shown, TokenClaims,
};

const RECOVERY: Duration = Duration::from_secs(2);
const CLAIM_WITHIN: Duration = Duration::from_secs(10);
const SESSION_TTL: Duration = Duration::from_secs(20);
/// The refresh interval of nodes in these tests.
const REFRESH: Duration = Duration::from_millis(250);

/// Five people a second, three inside.
fn usual() -> PolicySpec {
    PolicySpec {
        batch: 5,
        every: Duration::from_secs(1),
        max_active: 3,
        claim_within: CLAIM_WITHIN,
        session_ttl: SESSION_TTL,
        max_waiting: 1_000,
    }
}

/// A policy that calls no one during a test.
fn standstill() -> PolicySpec {
    PolicySpec { batch: 1, every: Duration::from_secs(3_600), ..usual() }
}

/// A store and the server it runs on.
#[derive(Clone)]
struct Server {
    state: QueueState,
    clock: u64,
    process: u64,
    /// The first incarnation of the queue, kept through losses.
    life: Option<Incarnation>,
}

impl Server {
    /// A server before its first visit.
    fn new(spec: PolicySpec) -> Self {
        let policy = AdmissionPolicy::new(spec).unwrap();
        Self {
            state: QueueState::new(policy, RECOVERY),
            clock: 1_000_000_000,
            process: 1,
            life: None,
        }
    }

    /// A server, and `N` nodes that may issue numbers.
    fn open<const N: usize>(spec: PolicySpec) -> (Self, [Node; N]) {
        let mut server = Self::new(spec);
        let mut nodes = std::array::from_fn(|n| Node::new(n as u64 + 1));
        server.pass(&mut nodes, RECOVERY);
        assert!(!server.state.snapshot().recovers);
        server.life = server.state.incarnations.oldest();
        (server, nodes)
    }

    /// Loses all data; the next visitor finds an empty store.
    fn lose(&mut self) {
        let policy = AdmissionPolicy::new(self.state.policy).unwrap();
        self.become_copy(&Self { state: QueueState::new(policy, RECOVERY), ..self.clone() });
    }

    /// Expires what the store lets expire: all data that grows with the people, and the register of
    /// nodes.
    fn expire(&mut self) {
        let state = &mut self.state;
        state.users.clear();
        state.held.clear();
        let singles: Vec<u64> = state.vacant.singles().collect();
        singles.into_iter().for_each(|number| _ = state.vacant.remove(number));
        state.log.clear();
        state.nodes.clear();
    }

    /// Restarts the server with its data.
    fn restart(&mut self) {
        self.process += 1;
    }

    /// Promotes a replica that has the data of this copy.
    fn become_copy(&mut self, copy: &Self) {
        self.state = copy.state.clone();
        self.process += 1;
    }

    /// These nodes refresh their views, now and as time passes.
    fn pass<'a>(&mut self, nodes: impl IntoIterator<Item = &'a mut Node>, time: Duration) {
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        let mut left = time;
        nodes.iter_mut().for_each(|node| _ = node.refresh(self));
        while left > Duration::ZERO {
            let step = left.min(REFRESH);
            self.wait(step);
            left -= step;
            nodes.iter_mut().for_each(|node| _ = node.refresh(self));
        }
    }

    /// Time passes without visits.
    fn wait(&mut self, time: Duration) {
        self.clock += u64::try_from(time.as_micros()).unwrap();
    }

    /// The incarnation that the first node's tokens carry: the first that this server's store ever
    /// had.
    fn life(&self) -> Incarnation {
        self.life.or(self.state.incarnations.oldest()).unwrap_or(Incarnation::new(1).unwrap())
    }

    fn shown(&self, number: u64) -> Shown {
        Shown { incarnation: self.life(), number: QueueNumber::new(number).unwrap() }
    }

    fn place(&self, user: u64, number: u64) -> TokenClaims {
        place_in(self.life(), user, number)
    }

    fn counters(&self) -> (u64, u64) {
        (self.state.counters.last(), self.state.counters.serving())
    }

    fn is_open(&self) -> bool {
        !self.state.snapshot().recovers
    }

    /// The number of calls and sessions that hold a slot.
    fn taken(&self) -> u64 {
        let snapshot = self.state.snapshot();
        snapshot.called + snapshot.active
    }
}

/// A node of the service, as a store adapter implements it.
#[derive(Clone)]
struct Node {
    replica: Replica,
}

impl Node {
    fn new(id: u64) -> Self {
        Self { replica: Replica::new(NodeId(id), false, SESSION_TTL) }
    }

    fn with_checkpoint(id: u64) -> Self {
        Self { replica: Replica::new(NodeId(id), true, SESSION_TTL) }
    }

    fn visit(&self, server: &Server) -> Visit {
        Visit {
            clock: server.clock,
            process: ProcessId(server.process),
            arrival: Arrival::Anew,
            witness: self.replica.witness(),
            is_at_limit: false,
        }
    }

    fn step<T>(&self, server: &mut Server, step: impl FnOnce(&mut QueueState, &Visit) -> T) -> T {
        let visit = self.visit(server);
        server.state.begin(&visit);
        step(&mut server.state, &visit)
    }

    /// Calls people, follows the changes, and replays what the store may have lost.
    fn refresh(&mut self, server: &mut Server) -> u64 {
        let (called, memories) = self.snapshot(server);
        self.notify(server, &memories);
        called
    }

    /// A refresh without the replay.
    fn snapshot(&mut self, server: &mut Server) -> (u64, Vec<crate::queue::Memory>) {
        let (called, answer) = self.step(server, |state, visit| {
            let called = state.tick(visit);
            (called, state.answer_to(&visit.witness))
        });
        (called, self.replica.follow(answer))
    }

    fn notify(&mut self, server: &mut Server, memories: &[crate::queue::Memory]) {
        let generation = self.replica.witness().generation;
        if !memories.is_empty() && self.step(server, |state, _| state.replay(generation, memories))
        {
            self.replica.note_replayed(generation);
        }
    }

    fn join(&mut self, server: &mut Server, user: u64) -> JoinStep {
        self.join_showing(server, user, None, u64::MAX)
    }

    /// Joins with the token of a number.
    fn rejoin(&mut self, server: &mut Server, user: u64, shown: u64) -> JoinStep {
        self.join_showing(server, user, Some(shown), u64::MAX)
    }

    fn join_showing(
        &mut self,
        server: &mut Server,
        user: u64,
        shown: Option<u64>,
        ceiling: u64,
    ) -> JoinStep {
        let shown = shown.map(|number| server.shown(number));
        let user = UserId::new(user).unwrap();
        let (joined, counters) = self.step(server, |state, visit| {
            let joined = state.join(visit, user, shown, ceiling);
            (joined, state.witnessed_counters())
        });
        if let JoinStep::Holds { number, incarnation, .. } = joined {
            self.replica.note_counters(counters);
            self.replica.note_incarnation(incarnation);
            self.replica.note_holder(user, number);
        }
        joined
    }

    /// Joins, and expects this new number.
    #[track_caller]
    fn gives(&mut self, server: &mut Server, user: u64, expected: u64) {
        let joined = self.join(server, user);
        let JoinStep::Holds { number, rejoined: false, .. } = joined else {
            panic!("expected number {expected}: {joined:?}")
        };
        assert_eq!(number.get(), expected);
    }

    /// Joins, and expects to find this number.
    #[track_caller]
    fn finds(&mut self, server: &mut Server, user: u64, shown: Option<u64>, expected: u64) {
        let joined = self.join_showing(server, user, shown, u64::MAX);
        let JoinStep::Holds { number, rejoined: true, .. } = joined else {
            panic!("expected to find {expected}: {joined:?}")
        };
        assert_eq!(number.get(), expected);
    }

    fn claim(&mut self, server: &mut Server, user: u64, number: u64) -> Result<Expiry, Refused> {
        let place = server.place(user, number);
        let claimed = self.step(server, |state, _| state.claim(&place))?;
        let version = server.state.marks().version;
        self.replica.note_session(&place, claimed, version);
        Ok(claimed)
    }

    fn leave(
        &mut self,
        server: &mut Server,
        user: u64,
        number: u64,
    ) -> Result<PlaceStatus, Refused> {
        let place = server.place(user, number);
        self.replica.note_leaving(&place);
        let (left, version) =
            self.step(server, |state, _| (state.leave(&place), state.marks().version));
        let left = left?;
        self.replica.note_version(version);
        self.replica.note_left(&place, left == PlaceStatus::Waiting);
        Ok(left)
    }

    fn place_status(
        &self,
        server: &mut Server,
        user: u64,
        number: u64,
    ) -> Result<PlaceStatus, Refused> {
        let place = server.place(user, number);
        self.step(server, |state, _| state.place_status(&place))
    }

    fn position(&self, number: u64) -> u64 {
        let counters = self.replica.witness().counters;
        self.replica.vacant().position_of(QueueNumber::new(number).unwrap(), counters).get()
    }
}

/// The place of a token of this incarnation.
fn place_in(incarnation: Incarnation, user: u64, number: u64) -> TokenClaims {
    TokenClaims {
        queue: QueueId::parse("main").unwrap(),
        incarnation,
        number: QueueNumber::new(number).unwrap(),
        user: UserId::new(user).unwrap(),
        issued_at: crate::Timestamp::UNIX_EPOCH,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
