//! A circuit breaker: closed means healthy and lets every call through, open means failing fast and lets none.
//!
//! The states, windows and thresholds are those of Resilience4j. In between is half-open: a few calls are let through, and
//! what they come to decides. It reads no clock and awaits nothing; `now` is passed in, as the time since any fixed moment.

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

/// Guards one kind of call to one dependency. Shared by all who make it; each step is one short critical section.
pub struct Breaker {
    machine: Mutex<Machine>,
    on_change: Option<Listener>,
    on_call: Option<Listener>,
}

impl Breaker {
    /// A closed breaker that has seen nothing. The seed spreads the waits of breakers apart, so give each another.
    ///
    /// # Errors
    /// [`InvalidSettings`] names the field that makes no sense.
    pub fn new(settings: BreakerSettings, seed: u64) -> Result<Self, InvalidSettings> {
        settings.check()?;
        Ok(Self {
            machine: Mutex::new(Machine::new(settings, seed)),
            on_change: None,
            on_call: None,
        })
    }

    /// Tells this listener of transitions, resets and exceeded rates. They are told outside the lock, in order for each
    /// caller but not across callers: whoever wants the state of now takes a [`Snapshot`].
    #[must_use]
    pub fn on_change(self, listener: Listener) -> Self {
        Self { on_change: Some(listener), ..self }
    }

    /// Tells this listener of each single call, except while disabled or forced open.
    #[must_use]
    pub fn on_call(self, listener: Listener) -> Self {
        Self { on_call: Some(listener), ..self }
    }

    /// Asks to make a call. The first to ask after the wait of an open breaker makes it half-open, and needs a half-open
    /// permit like everybody else.
    ///
    /// # Errors
    /// [`NotPermitted`] when the call must not be made.
    pub fn try_acquire(&self, now: Duration) -> Result<Permit<'_>, NotPermitted> {
        let (admission, changes) = self.step(|machine| machine.admit(now));
        // The permit comes before the listeners, so that none is lost when one of them panics.
        let answer = admission.map(|period| Permit::new(self, period, now));
        self.tell_changes(&changes);
        if let Err(refusal) = &answer
            && refusal.state.tells_of_calls()
        {
            self.tell_call(Event::NotPermitted);
        }
        answer
    }

    /// What there is to know at this moment.
    pub fn snapshot(&self, now: Duration) -> Snapshot {
        let (snapshot, changes) = self.step(|machine| machine.snapshot(now));
        self.tell_changes(&changes);
        snapshot
    }

    /// Ends the wait of an open breaker: the next call is a trial, as if the wait had passed. In
    /// any other state nothing changes.
    pub fn end_wait(&self, now: Duration) {
        let ((), changes) = self.step(|machine| machine.end_wait(now));
        self.tell_changes(&changes);
    }

    /// Changes the state by hand. The state it is in already is left as it is, and nobody is told.
    ///
    /// # Errors
    /// [`IllegalTransition`] when there is no way from the state it is in.
    pub fn transition_to(&self, state: State, now: Duration) -> Result<(), IllegalTransition> {
        let (result, changes) = self.step(|machine| machine.transition_to(state, now));
        self.tell_changes(&changes);
        result
    }

    /// Back to closed with an empty window, from any state. The [`CallCounts`] go on.
    pub fn reset(&self, now: Duration) {
        let ((), changes) = self.step(|machine| machine.reset(now));
        self.tell_changes(&changes);
    }

    fn record(&self, failed: bool, took: Duration, now: Duration) {
        let (heard, changes) = self.step(|machine| machine.record(failed, took, now));
        if heard {
            self.tell_call(if failed { Event::Error { took } } else { Event::Success { took } });
        }
        self.tell_changes(&changes);
    }

    fn ignore(&self, period: u64) {
        let (heard, _) = self.step(|machine| machine.ignore(period));
        if heard {
            self.tell_call(Event::IgnoredError);
        }
    }

    fn release(&self, period: u64) {
        self.step(|machine| machine.release(period));
    }

    /// One step of the machine, and the changes it brought.
    fn step<T>(&self, step: impl FnOnce(&mut Machine) -> T) -> (T, Vec<Event>) {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = step(&mut machine);
        (result, mem::take(&mut machine.changes))
    }

    fn tell_changes(&self, changes: &[Event]) {
        if let Some(listener) = &self.on_change {
            changes.iter().for_each(|event| listener(event));
        }
    }

    fn tell_call(&self, event: Event) {
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
