//! The line in memory: [`MemoryQueue`] is the lock and the clock, `line` the state and its steps, `slots` who is in.

mod line;
mod slots;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::queue::{
    AdmissionPolicy, Bounds, Called, ClaimError, GiveBackError, JoinError, Joined, Line, Place, QueueStore,
    Session, Snapshot, Standing, UserId,
};
use domain::{Clock, PortError, Timestamp};

use self::line::MemoryLine;

/// One line behind one lock. No step waits for anything while it holds the lock.
pub struct MemoryQueue {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    line: MemoryLine,
    /// The latest time seen: a clock that steps back must not move the line's time back.
    latest: Timestamp,
}

impl MemoryQueue {
    /// An empty line under a policy.
    #[must_use]
    pub fn new(policy: AdmissionPolicy, clock: Arc<dyn Clock>) -> Self {
        let state = State { line: MemoryLine::new(policy), latest: clock.now() };
        Self { clock, state: Mutex::new(state) }
    }

    fn step<T>(&self, step: impl FnOnce(&mut MemoryLine, Timestamp) -> T) -> T {
        let wall = self.clock.now();
        let mut state: MutexGuard<'_, State> = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = state.latest.max(wall);
        state.latest = now;
        step(&mut state.line, now)
    }
}

#[async_trait]
impl QueueStore for MemoryQueue {
    async fn join(&self, user: UserId, bounds: Bounds) -> Result<Joined, JoinError> {
        self.step(|line, now| {
            line.raise(bounds.floor, now);
            line.join(user, bounds.ceiling, now)
        })
    }

    async fn call_next(&self, floor: Line) -> Result<Called, PortError> {
        Ok(self.step(|line, now| {
            line.raise(floor, now);
            let count = line.call_next(now);
            Called { count, snapshot: line.snapshot(now) }
        }))
    }

    async fn snapshot(&self, floor: Line) -> Result<Snapshot, PortError> {
        Ok(self.step(|line, now| {
            line.raise(floor, now);
            line.snapshot(now)
        }))
    }

    async fn standing(&self, place: &Place) -> Result<Standing, PortError> {
        Ok(self.step(|line, now| line.standing(place, now)))
    }

    async fn claim(&self, place: &Place) -> Result<Session, ClaimError> {
        self.step(|line, now| line.claim(place, now))
    }

    async fn give_back(&self, place: &Place) -> Result<(), GiveBackError> {
        self.step(|line, now| line.give_back(place, now))
    }
}
