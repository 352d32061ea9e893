//! The queue in memory: [`MemoryQueue`] is a lock and a clock around the state machine of `domain`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::queue::{
    AdmissionPolicy, Arrival, Bounds, Called, Checkpoint, ClaimError, Expiry, GiveBackError, JoinError,
    JoinStep, Joined, Line, NodeId, Place, ProcessId, QueueNumber, QueueState, QueueStore, Refused, Session,
    Snapshot, Standing, UserId, Visit, Witness,
};
use domain::{Clock, PortError, PortErrorKind};

/// One queue behind one lock. No step waits for anything while it holds the lock.
///
/// Its only node is this process, which cannot lose touch with it: a floor above its counters raises them at once,
/// without the pause that a store shared by nodes makes.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    state: Mutex<QueueState>,
}

const NODE: NodeId = NodeId(1);
const PROCESS: ProcessId = ProcessId(1);

impl MemoryQueue {
    /// An empty queue under a policy.
    #[must_use]
    pub fn new(policy: AdmissionPolicy, clock: Arc<dyn Clock>) -> Self {
        let queue = Self { clock, state: Mutex::new(QueueState::new(policy, Duration::ZERO)) };
        // Its own node is one that may give numbers.
        queue.step(Line::START, QueueState::refresh);
        queue
    }

    fn step<T>(&self, floor: Line, step: impl FnOnce(&mut QueueState, &Visit) -> T) -> T {
        let clock = u64::try_from(self.clock.now().as_microsecond()).unwrap_or(0);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = state.marks();
        let mut visit = Visit {
            clock,
            process: PROCESS,
            arrival: Arrival::Anew,
            witness: Witness {
                node: NODE,
                line: floor,
                generation: marks.generation,
                version: marks.version,
                ..Witness::default()
            },
            is_at_limit: false,
        };
        state.begin(&visit);
        // Nobody else is there to be heard.
        let marks = state.marks();
        (visit.witness.replayed, visit.witness.version) = (marks.generation, marks.version);
        step(&mut state, &visit)
    }
}

fn port_error(kind: PortErrorKind) -> PortError {
    PortError::new(kind, "queue store")
}

/// What is impossible of a store that is never in doubt.
fn not_ready() -> PortError {
    port_error(PortErrorKind::NotReady)
}

#[async_trait]
impl QueueStore for MemoryQueue {
    async fn join(
        &self,
        user: UserId,
        presented: Option<QueueNumber>,
        bounds: Bounds,
    ) -> Result<Joined, JoinError> {
        self.step(bounds.floor, |state, visit| match state.join(visit, user, presented, bounds.ceiling) {
            JoinStep::Holds { number, rejoined, standing } => {
                Ok(Joined { number, rejoined, standing, line: state.marks().line })
            }
            JoinStep::Full => Err(JoinError::LineFull),
            JoinStep::AboveCeiling => Err(JoinError::AboveCeiling),
            JoinStep::NotReady => Err(not_ready().into()),
        })
    }

    async fn call_next(&self, floor: Line) -> Result<Called, PortError> {
        Ok(self.step(floor, |state, visit| {
            let count = state.tick(visit);
            Called { count, snapshot: state.snapshot() }
        }))
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        Ok(self.step(floor, |state, visit| {
            state.refresh(visit);
            state.snapshot()
        }))
    }

    async fn settle(&self, generation: u64, checkpoint: Option<Checkpoint>) -> Result<Snapshot, PortError> {
        Ok(self.step(Line::START, |state, _| {
            state.settle(generation, checkpoint);
            state.snapshot()
        }))
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        match self.step(Line::START, |state, _| state.standing(place)) {
            Ok(standing) => Ok(standing),
            Err(Refused::NotFound | Refused::NotYet) => Ok(Standing::Waiting),
            Err(Refused::Gone | Refused::NotHolder) => Ok(Standing::Gone),
            Err(Refused::NotReady) => Err(not_ready()),
        }
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        let claimed: Result<Expiry, Refused> = self.step(Line::START, |state, _| state.claim(place));
        match claimed {
            Ok(until) => Ok(Session { number: place.number, user: place.user, until }),
            Err(Refused::NotFound) => Err(ClaimError::NotFound),
            Err(Refused::NotYet) => Err(ClaimError::NotYet),
            Err(Refused::Gone) => Err(ClaimError::Gone),
            Err(Refused::NotHolder) => Err(ClaimError::NotHolder),
            Err(Refused::NotReady) => Err(not_ready().into()),
        }
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        match self.step(Line::START, |state, _| state.leave(place)) {
            Ok(_) => Ok(()),
            Err(Refused::NotFound) => Err(GiveBackError::NotFound),
            Err(Refused::Gone | Refused::NotYet) => Err(GiveBackError::Gone),
            Err(Refused::NotHolder) => Err(GiveBackError::NotHolder),
            Err(Refused::NotReady) => Err(not_ready().into()),
        }
    }
}
