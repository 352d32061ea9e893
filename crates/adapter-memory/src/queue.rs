//! The queue in memory: [`MemoryQueue`] is a lock and a clock around the state machine of `domain`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::queue::{
    AdmissionPolicy, Arrival, Called, Checkpoint, ClaimError, Expiry, JoinError, JoinStep, Joined,
    NodeId, NumberBounds, PlaceStatus, ProcessId, QueueCounters, QueueState, QueueStore, Refused,
    ReleaseError, Session, Shown, Snapshot, TokenClaims, UserId, Visit, Witness,
};
use domain::{Clock, Dependency, PortError, PortErrorKind};

/// One queue behind one lock. No step blocks while it holds the lock.
///
/// The only node is this process, and it always reaches its store. So a floor above the store's
/// counters raises them at once, without the recovery pause of a store that several nodes share.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

struct Kept {
    state: QueueState,
    /// The version of the last snapshot: the caller knows the numbers skipped up to it.
    followed: u64,
}

const NODE: NodeId = NodeId(1);
const PROCESS: ProcessId = ProcessId(1);

impl MemoryQueue {
    /// An empty queue under a policy.
    #[must_use]
    pub fn new(policy: AdmissionPolicy, clock: Arc<dyn Clock>) -> Self {
        let kept = Kept { state: QueueState::new(policy, Duration::ZERO), followed: 0 };
        let queue = Self { clock, kept: Mutex::new(kept) };
        // Registers this process as the node that may issue numbers.
        queue.look(QueueCounters::START, QueueState::refresh);
        queue
    }

    fn step<T>(&self, floor: QueueCounters, step: impl FnOnce(&mut QueueState, &Visit) -> T) -> T {
        let clock = u64::try_from(self.clock.now().as_microsecond()).unwrap_or(0);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { state, followed } = &mut *kept;
        let marks = state.marks();
        let mut visit = Visit {
            clock,
            process: PROCESS,
            arrival: Arrival::Anew,
            witness: Witness {
                node: NODE,
                counters: floor,
                generation: marks.generation,
                version: marks.version,
                ..Witness::default()
            },
            is_at_limit: false,
        };
        state.begin(&visit);
        // There are no other nodes to wait for.
        (visit.witness.replayed, visit.witness.version) = (state.marks().generation, *followed);
        step(state, &visit)
    }

    /// Runs a step that returns a snapshot.
    fn look<T>(
        &self,
        floor: QueueCounters,
        step: impl FnOnce(&mut QueueState, &Visit) -> T,
    ) -> (T, Snapshot) {
        let (done, snapshot, version) = self.step(floor, |state, visit| {
            let done = step(state, visit);
            (done, state.snapshot(), state.marks().version)
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.followed = kept.followed.max(version);
        (done, snapshot)
    }
}

fn port_error(kind: PortErrorKind) -> PortError {
    PortError::new(kind, Dependency::QUEUE)
}

/// Unreachable, because this store is never in doubt.
fn not_ready() -> PortError {
    port_error(PortErrorKind::NotReady)
}

#[async_trait]
impl QueueStore for MemoryQueue {
    async fn join(
        &self,
        user: UserId,
        presented: Option<Shown>,
        bounds: NumberBounds,
    ) -> Result<Joined, JoinError> {
        self.step(bounds.floor, |state, visit| {
            match state.join(visit, user, presented, bounds.ceiling) {
                JoinStep::Holds { number, rejoined, place_status, incarnation } => Ok(Joined {
                    number,
                    rejoined,
                    place_status,
                    counters: state.witnessed_counters(),
                    incarnation,
                }),
                JoinStep::Full => Err(JoinError::QueueFull),
                JoinStep::AboveCeiling => Err(JoinError::AboveCeiling),
                JoinStep::ViewBehind => Err(JoinError::ViewBehind),
                JoinStep::NotReady => Err(not_ready().into()),
            }
        })
    }

    async fn call_next(
        &self,
        floor: QueueCounters,
        shown: Option<Shown>,
    ) -> Result<Called, PortError> {
        let (count, snapshot) = self.look(floor, |state, visit| {
            shown.into_iter().for_each(|shown| state.note_shown(shown));
            state.tick(visit)
        });
        Ok(Called { count, snapshot })
    }

    async fn snapshot(&self, floor: QueueCounters) -> Result<Snapshot, PortError> {
        Ok(self.look(floor, QueueState::refresh).1)
    }

    async fn settle(
        &self,
        generation: u64,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Snapshot, PortError> {
        self.step(QueueCounters::START, |state, _| state.settle(generation, checkpoint));
        self.snapshot(QueueCounters::START).await
    }

    async fn place_status(&self, place: &TokenClaims) -> Result<PlaceStatus, PortError> {
        match self.step(QueueCounters::START, |state, _| state.place_status(place)) {
            Ok(place_status) => Ok(place_status),
            Err(Refused::NotFound | Refused::NotYet) => Ok(PlaceStatus::Waiting),
            Err(Refused::Gone | Refused::NotHolder) => Ok(PlaceStatus::Gone),
            Err(Refused::NotReady) => Err(not_ready()),
        }
    }

    async fn claim(&self, place: &TokenClaims) -> Result<Session, ClaimError> {
        let claimed: Result<Expiry, Refused> =
            self.step(QueueCounters::START, |state, _| state.claim(place));
        match claimed {
            Ok(until) => Ok(Session { number: place.number, user: place.user, until }),
            Err(Refused::NotFound) => Err(ClaimError::NotFound),
            Err(Refused::NotYet) => Err(ClaimError::NotYet),
            Err(Refused::Gone) => Err(ClaimError::Gone),
            Err(Refused::NotHolder) => Err(ClaimError::NotHolder),
            Err(Refused::NotReady) => Err(not_ready().into()),
        }
    }

    async fn release(&self, place: &TokenClaims) -> Result<(), ReleaseError> {
        match self.step(QueueCounters::START, |state, _| state.leave(place)) {
            Ok(_) => Ok(()),
            Err(Refused::NotFound) => Err(ReleaseError::NotFound),
            Err(Refused::Gone | Refused::NotYet) => Err(ReleaseError::Gone),
            Err(Refused::NotHolder) => Err(ReleaseError::NotHolder),
            Err(Refused::NotReady) => Err(not_ready().into()),
        }
    }
}
