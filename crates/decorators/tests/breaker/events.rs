//! The events that listeners receive.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, Event, Listener, State, Window};

use super::subject::{Subject, seconds};

#[test]
fn a_listener_may_call_the_breaker() {
    let seen = Arc::new(OnceLock::<Arc<Breaker>>::new());
    let asks: Listener = Arc::new({
        let seen = Arc::clone(&seen);
        move |event| {
            let breaker: &Arc<Breaker> = seen.get().unwrap();
            if let Event::StateTransition { to, .. } = event {
                assert_eq!(breaker.snapshot(seconds(1)).state, *to);
            }
        }
    });
    let breaker = Arc::new(Breaker::new(BreakerSettings::default(), 0).unwrap().on_change(asks));
    assert!(seen.set(Arc::clone(&breaker)).is_ok());
    breaker.transition_to(State::Open, seconds(1)).unwrap();
}

#[test]
fn calls_and_changes_are_reported_in_order() {
    let breaker = Subject::of(Window::Calls(2));
    breaker.ok();
    breaker.error();
    assert!(!breaker.lets());
    let took = Duration::ZERO;
    let expected = [
        Event::Success { took },
        Event::Error { took },
        Event::FailureRateExceeded { rate: 50.0 },
        Event::StateTransition { from: State::Closed, to: State::Open },
        Event::NotPermitted,
    ];
    assert_eq!(breaker.all_events(), expected);
}

#[test]
fn a_change_listener_receives_no_calls() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let listener: Listener = Arc::new({
        let received = Arc::clone(&received);
        move |event| received.lock().unwrap().push(*event)
    });
    let settings = BreakerSettings { window: Window::Calls(1), ..BreakerSettings::default() };
    let breaker = Breaker::new(settings, 0).unwrap().on_change(listener);
    let now = seconds(1);
    breaker.try_acquire(now).unwrap().succeeded(now);
    breaker.try_acquire(now).unwrap().ignored();
    breaker.try_acquire(now).unwrap().failed(now);
    breaker.try_acquire(now).unwrap_err();
    let expected = [
        Event::FailureRateExceeded { rate: 100.0 },
        Event::StateTransition { from: State::Closed, to: State::Open },
    ];
    assert_eq!(*received.lock().unwrap(), expected);
}
