//! A breaker under test, with a manual clock and a record of its events.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use decorators::breaker::{
    Breaker, BreakerSettings, Event, NotPermitted, Permit, Snapshot, State, Window,
};

/// Slow under [`settings`].
pub(crate) const SLOW: Duration = Duration::from_millis(41);
/// The longest call that is not slow.
pub(crate) const FAST: Duration = Duration::from_millis(40);

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The settings of Resilience4j's state machine test, except for a shorter slow-call limit: here
/// calls advance the clock.
pub(crate) fn settings(window: Window) -> BreakerSettings {
    BreakerSettings {
        window,
        minimum_calls: 5,
        failure_rate: 50.0,
        slow_call_rate: 50.0,
        slow_call: FAST,
        wait_in_open: seconds(5),
        wait_multiplier: 1.5,
        max_wait_in_open: seconds(60),
        half_open_permits: 4,
        ..BreakerSettings::resilience4j()
    }
}

pub(crate) struct Subject {
    pub(crate) breaker: Breaker,
    now: Cell<Duration>,
    received: Arc<Mutex<Vec<Event>>>,
}

impl Subject {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let listener = |received: &Arc<Mutex<Vec<Event>>>| {
            let received = Arc::clone(received);
            Arc::new(move |event: &Event| received.lock().unwrap().push(*event))
        };
        let breaker = Breaker::new(settings, 7)
            .unwrap()
            .on_change(listener(&received))
            .on_call(listener(&received));
        Self { breaker, now: Cell::new(seconds(1_000)), received }
    }

    pub(crate) fn of(window: Window) -> Self {
        Self::new(settings(window))
    }

    /// At the start of a trial.
    pub(crate) fn half_open(settings: BreakerSettings) -> Self {
        let subject = Self::new(settings);
        subject.go(State::Open);
        subject.go(State::HalfOpen);
        subject
    }

    pub(crate) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(crate) fn set_clock(&self, now: Duration) {
        self.now.set(now);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    pub(crate) fn call(&self) -> Result<Permit<'_>, NotPermitted> {
        self.breaker.try_acquire(self.now())
    }

    /// Whether a call is permitted; its outcome is never reported.
    pub(crate) fn lets(&self) -> bool {
        self.call().map(std::mem::forget).is_ok()
    }

    pub(crate) fn succeed(&self, took: Duration) {
        let permit = self.call().unwrap();
        self.advance(took);
        permit.succeeded(self.now());
    }

    pub(crate) fn fail(&self, took: Duration) {
        let permit = self.call().unwrap();
        self.advance(took);
        permit.failed(self.now());
    }

    pub(crate) fn ok(&self) {
        self.succeed(Duration::ZERO);
    }

    pub(crate) fn error(&self) {
        self.fail(Duration::ZERO);
    }

    pub(crate) fn ignore(&self) {
        self.call().unwrap().ignored();
    }

    pub(crate) fn go(&self, state: State) {
        self.breaker.transition_to(state, self.now()).unwrap();
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot(self.now())
    }

    pub(crate) fn state(&self) -> State {
        self.snapshot().state
    }

    pub(crate) fn received(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.received.lock().unwrap().iter().filter(|event| wanted(event)).count()
    }

    pub(crate) fn transitions(&self) -> usize {
        self.received(|event| matches!(event, Event::StateTransition { .. }))
    }

    pub(crate) fn all_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.received.lock().unwrap())
    }

    /// Asserts the failure rate, the successes, the calls and the failures in the window, and all
    /// calls not permitted.
    #[track_caller]
    pub(crate) fn assert_metrics(
        &self,
        rate: Option<f64>,
        ok: u64,
        calls: u64,
        failed: u64,
        refused: u64,
    ) {
        let is = self.snapshot();
        let window = is.window;
        assert_eq!(
            (is.failure_rate, window.calls - window.failed, window.calls, window.failed),
            (rate, ok, calls, failed)
        );
        assert_eq!(is.calls.not_permitted, refused);
    }

    #[track_caller]
    pub(crate) fn assert_nothing_measured(&self) {
        self.assert_metrics(None, 0, 0, 0, 0);
    }
}
