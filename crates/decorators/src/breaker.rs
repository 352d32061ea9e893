//! A circuit breaker. Closed is healthy and permits every call; open fails fast and permits none;
//! half-open permits a few trial calls, whose outcomes decide.
//!
//! States, windows and thresholds are those of Resilience4j. The breaker reads no clock and never
//! awaits: callers pass `now`, the time since any fixed moment.

mod backoff;
mod event;
mod machine;
mod metrics;
mod permit;
mod settings;
mod snapshot;
mod state;
mod timeline;
mod window;

use std::fmt;
use std::mem;
use std::sync::PoisonError;
use std::time::Duration;

use crate::sync::Mutex;

pub use event::{Event, Listener};
pub use permit::{NotPermitted, Permit};
pub use settings::{AfterHalfOpen, BreakerSettings, InvalidSettings, Window};
pub use snapshot::{CallCounts, Snapshot};
pub use state::{IllegalTransition, State};
pub use window::Tally;

use machine::Machine;

/// Guards one kind of call to one dependency. All callers share it; each step is one short critical
/// section.
pub struct Breaker {
    machine: Mutex<Machine>,
    on_change: Option<Listener>,
    on_call: Option<Listener>,
}

impl Breaker {
    /// Creates a closed breaker with an empty window. The seed randomizes the open time, so give
    /// each breaker a different one.
    ///
    /// # Errors
    /// [`InvalidSettings`] names the invalid field.
    pub fn new(settings: BreakerSettings, seed: u64) -> Result<Self, InvalidSettings> {
        settings.check()?;
        Ok(Self {
            machine: Mutex::new(Machine::new(settings, seed)),
            on_change: None,
            on_call: None,
        })
    }

    /// Reports transitions, resets and exceeded rates to this listener. Events are delivered
    /// outside the lock, in order per caller but not across callers; take a [`Snapshot`] for the
    /// current state.
    #[must_use]
    pub fn on_change(self, listener: Listener) -> Self {
        Self { on_change: Some(listener), ..self }
    }

    /// Reports every single call to this listener, except while disabled or forced open.
    #[must_use]
    pub fn on_call(self, listener: Listener) -> Self {
        Self { on_call: Some(listener), ..self }
    }

    /// Requests permission for a call. The first request after the wait of an open breaker makes it
    /// half-open, and needs a half-open permit itself.
    ///
    /// # Errors
    /// [`NotPermitted`] if the call must not be made.
    pub fn try_acquire(&self, now: Duration) -> Result<Permit<'_>, NotPermitted> {
        let (admission, changes) = self.step(|machine| machine.admit(now));
        // The permit is created before listeners run, so that a panic in one does not leak it.
        let answer = admission.map(|period| Permit::new(self, period, now));
        self.publish_changes(&changes);
        if let Err(refusal) = &answer
            && refusal.state.tells_of_calls()
        {
            self.publish_call(Event::NotPermitted);
        }
        answer
    }

    /// The state, rates and counters at this moment.
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let (snapshot, changes) = self.step(|machine| machine.snapshot(now));
        self.publish_changes(&changes);
        snapshot
    }

    /// Ends the wait of an open breaker: the next call is a trial. Has no effect in other states.
    pub fn end_wait(&self, now: Duration) {
        let ((), changes) = self.step(|machine| machine.end_wait(now));
        self.publish_changes(&changes);
    }

    /// Changes the state manually. A transition to the current state does nothing and sends no
    /// event.
    ///
    /// # Errors
    /// [`IllegalTransition`] if this transition does not exist.
    pub fn transition_to(&self, state: State, now: Duration) -> Result<(), IllegalTransition> {
        let (result, changes) = self.step(|machine| machine.transition_to(state, now));
        self.publish_changes(&changes);
        result
    }

    /// Returns to closed with an empty window, from any state. The [`CallCounts`] are kept.
    pub fn reset(&self, now: Duration) {
        let ((), changes) = self.step(|machine| machine.reset(now));
        self.publish_changes(&changes);
    }

    fn record(&self, failed: bool, took: Duration, now: Duration) {
        let (is_observed, changes) = self.step(|machine| machine.record(failed, took, now));
        if is_observed {
            self.publish_call(if failed { Event::Error { took } } else { Event::Success { took } });
        }
        self.publish_changes(&changes);
    }

    fn ignore(&self, period: u64) {
        let (is_observed, _) = self.step(|machine| machine.ignore(period));
        if is_observed {
            self.publish_call(Event::IgnoredError);
        }
    }

    fn release(&self, period: u64) {
        self.step(|machine| machine.release(period));
    }

    /// Runs one step of the machine and returns the events it caused.
    fn step<T>(&self, step: impl FnOnce(&mut Machine) -> T) -> (T, Vec<Event>) {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut machine);
        (result, mem::take(&mut machine.changes))
    }

    fn publish_changes(&self, changes: &[Event]) {
        if let Some(listener) = &self.on_change {
            changes.iter().for_each(|event| listener(event));
        }
    }

    fn publish_call(&self, event: Event) {
        if let Some(listener) = &self.on_call {
            listener(&event);
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("machine", &self.machine).finish_non_exhaustive()
    }
}
