//! The tests of Resilience4j, under their names, over both windows. Resilience4j counts refusals
//! per state and this breaker counts them in total, so these counts include those of earlier
//! states.

use decorators::breaker::{
    AfterHalfOpen, BreakerSettings, Event, IllegalTransition, State, Window,
};

use super::subject::{FAST, SLOW, Subject, seconds, settings};

macro_rules! over_both_windows {
    ($($name:ident,)*) => {
        mod calls {
            $(#[test] fn $name() { super::$name(super::Window::Calls(5)); })*
        }
        mod seconds {
            $(#[test] fn $name() { super::$name(super::Window::Seconds(5)); })*
        }
    };
}

over_both_windows! {
    should_throw_call_not_permitted_exception_when_state_is_open,
    should_throw_call_not_permitted_exception_when_state_is_forced_open,
    should_increase_counter_on_release_permission,
    should_throw_call_not_permitted_exception_when_not_further_test_calls_are_permitted,
    should_only_permit_four_calls_in_half_open_state,
    should_open_after_failure_rate_threshold_exceeded,
    should_open_after_slow_call_rate_threshold_exceeded,
    should_transition_to_half_open_after_wait_duration,
    should_transition_to_half_open_after_wait_interval,
    should_transition_back_to_open_state_when_failure_rate_is_above_threshold,
    should_transition_back_to_open_state_when_slow_call_rate_is_above_threshold,
    should_transition_back_to_closed_state_when_failure_is_below_threshold,
    should_reset_metrics,
    should_disable_circuit_breaker,
    should_force_open_circuit_breaker,
    should_release_permission_when_exception_ignored,
    should_ignore_exceptions_and_then_transition_to_closed,
    should_not_allow_transition_from_closed_to_half_open,
    should_reset_to_closed_state,
    should_reset_closed_state,
    should_reset_metrics_after_metrics_only_state_transition,
    should_record_metrics_in_metrics_only_state,
    should_publish_each_event_once_in_metric_only_state,
    all_circuit_breaker_states_allow_transition_to_metrics_only_mode,
    all_circuit_breaker_states_allow_transition_to_its_own_state,
    only_three_transitions_are_illegal,
    circuit_breaker_does_not_publish_state_transition_events_for_internal_transitions,
    circuit_breaker_transitions_to_open_after_wait_duration_in_half_open_state,
    circuit_breaker_transitions_to_closed_after_wait_duration_in_half_open_state,
    should_not_leak_permit_when_record_exception_predicate_throws_in_half_open,
    should_trip_exactly_at_the_threshold,
    should_not_trip_below_minimum_number_of_calls,
    test_record_slow_success_and_slow_error,
    test_slow_calls_percentage,
    should_decide_the_trial_at_minimum_number_of_calls,
}

fn should_throw_call_not_permitted_exception_when_state_is_open(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::Open);
    let refusal = breaker.call().unwrap_err();
    assert_eq!((refusal.state, refusal.retry_in), (State::Open, Some(seconds(5))));
    assert_eq!(refusal.to_string(), "not permitted: the circuit breaker is open");
    assert_eq!(breaker.snapshot().calls.not_permitted, 1);
}

fn should_throw_call_not_permitted_exception_when_state_is_forced_open(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::ForcedOpen);
    let refusal = breaker.call().unwrap_err();
    assert_eq!((refusal.state, refusal.retry_in), (State::ForcedOpen, None));
    assert_eq!(breaker.snapshot().calls.not_permitted, 1);
}

fn should_increase_counter_on_release_permission(window: Window) {
    let breaker = Subject::half_open(settings(window));
    let permits = [(); 4].map(|()| breaker.call().unwrap());
    assert!(!breaker.lets());
    assert!(!breaker.lets());
    let [released, ..] = permits;
    drop(released);
    assert!(breaker.lets());
}

fn should_throw_call_not_permitted_exception_when_not_further_test_calls_are_permitted(
    window: Window,
) {
    let breaker = Subject::half_open(settings(window));
    let _permits = [(); 4].map(|()| breaker.call().unwrap());
    let refusal = breaker.call().unwrap_err();
    assert_eq!((refusal.state, refusal.retry_in), (State::HalfOpen, None));
    assert_eq!(breaker.snapshot().calls.not_permitted, 1);
}

fn should_only_permit_four_calls_in_half_open_state(window: Window) {
    let breaker = Subject::of(window);
    for _ in 0..2 {
        breaker.go(State::Open);
        breaker.go(State::HalfOpen);
        assert_eq!([(); 6].map(|()| breaker.lets()), [true, true, true, true, false, false]);
    }
}

fn should_open_after_failure_rate_threshold_exceeded(window: Window) {
    let breaker = Subject::of(window);
    assert!(breaker.lets());
    breaker.assert_nothing_measured();
    for failures in 1..=3 {
        breaker.error();
        assert_eq!(breaker.state(), State::Closed);
        breaker.assert_metrics(None, 0, failures, failures, 0);
    }
    breaker.ok();
    assert_eq!(breaker.state(), State::Closed);
    breaker.assert_metrics(None, 1, 4, 3, 0);
    breaker.ok();
    assert_eq!(breaker.state(), State::Open);
    breaker.assert_metrics(Some(60.0), 2, 5, 3, 0);
    assert_eq!(breaker.received(|event| *event == Event::FailureRateExceeded { rate: 60.0 }), 1);
    assert!(!breaker.lets());
    breaker.assert_metrics(Some(60.0), 2, 5, 3, 1);
}

fn should_open_after_slow_call_rate_threshold_exceeded(window: Window) {
    let breaker = Subject::of(window);
    breaker.fail(SLOW);
    breaker.succeed(SLOW);
    breaker.succeed(FAST);
    breaker.succeed(FAST);
    assert_eq!(breaker.state(), State::Closed);
    breaker.succeed(SLOW);
    let is = breaker.snapshot();
    assert_eq!(is.state, State::Open);
    assert_eq!((is.window.calls, is.window.slow, is.slow_call_rate), (5, 3, Some(60.0)));
    assert_eq!(breaker.received(|event| *event == Event::SlowCallRateExceeded { rate: 60.0 }), 1);
    assert_eq!(breaker.received(|event| matches!(event, Event::FailureRateExceeded { .. })), 0);
}

fn should_transition_to_half_open_after_wait_duration(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::Open);
    assert!(!breaker.lets());
    breaker.advance(seconds(3));
    assert_eq!(breaker.call().unwrap_err().retry_in, Some(seconds(2)));
    breaker.assert_metrics(None, 0, 0, 0, 2);
    // The wait must have passed, not just end.
    breaker.advance(seconds(2));
    assert!(!breaker.lets());
    assert_eq!(breaker.state(), State::Open);
    breaker.advance(std::time::Duration::from_nanos(1));
    assert!(breaker.lets());
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.assert_metrics(None, 0, 0, 0, 3);
}

fn should_transition_to_half_open_after_wait_interval(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::Open);
    assert!(!breaker.lets());
    breaker.advance(seconds(3));
    assert!(!breaker.lets());
    breaker.advance(seconds(3));
    assert!(breaker.lets());
    assert_eq!(breaker.state(), State::HalfOpen);

    // After the failed trial it waits 7.5 seconds.
    breaker.go(State::Open);
    breaker.advance(seconds(7));
    assert!(!breaker.lets());
    assert_eq!(breaker.state(), State::Open);
    breaker.advance(seconds(1));
    assert!(breaker.lets());

    // After it was closed, the wait is 5 seconds again.
    breaker.go(State::Closed);
    breaker.go(State::Open);
    assert_eq!(breaker.snapshot().retry_in, Some(seconds(5)));
}

fn should_transition_back_to_open_state_when_failure_rate_is_above_threshold(window: Window) {
    let breaker = Subject::half_open(settings(window));
    breaker.assert_nothing_measured();
    breaker.error();
    breaker.error();
    breaker.ok();
    assert_eq!(breaker.state(), State::HalfOpen, "a single failure or three calls do not decide");
    breaker.error();
    assert_eq!(breaker.state(), State::Open);
    breaker.assert_metrics(Some(75.0), 1, 4, 3, 0);
    assert_eq!(breaker.snapshot().retry_in, Some(seconds(7) + seconds(1) / 2));
    assert_eq!(breaker.received(|event| matches!(event, Event::FailureRateExceeded { .. })), 0);
}

fn should_transition_back_to_open_state_when_slow_call_rate_is_above_threshold(window: Window) {
    let breaker = Subject::half_open(settings(window));
    breaker.succeed(SLOW);
    breaker.succeed(SLOW);
    breaker.succeed(SLOW);
    breaker.succeed(FAST);
    let is = breaker.snapshot();
    assert_eq!((is.state, is.window.slow), (State::Open, 3));
    assert_eq!((is.slow_call_rate, is.failure_rate), (Some(75.0), Some(0.0)));
}

fn should_transition_back_to_closed_state_when_failure_is_below_threshold(window: Window) {
    let breaker = Subject::half_open(settings(window));
    breaker.error();
    breaker.ok();
    breaker.ok();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.ok();
    assert_eq!(breaker.state(), State::Closed);
    breaker.assert_nothing_measured();
    breaker.ok();
    breaker.assert_metrics(None, 1, 1, 0, 0);
}

fn should_reset_metrics(window: Window) {
    let breaker = Subject::of(window);
    breaker.ok();
    breaker.error();
    breaker.assert_metrics(None, 1, 2, 1, 0);
    breaker.breaker.reset(breaker.now());
    breaker.assert_nothing_measured();
    assert_eq!(breaker.received(|event| *event == Event::Reset), 1);
    assert_eq!(breaker.transitions(), 0);
    let calls = breaker.snapshot().calls;
    assert_eq!((calls.successful, calls.failed), (1, 1), "the counters are kept");
}

fn should_disable_circuit_breaker(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::Disabled);
    breaker.all_events();
    breaker.ok();
    for _ in 0..10 {
        breaker.error();
    }
    breaker.ignore();
    assert_eq!(breaker.state(), State::Disabled);
    breaker.assert_nothing_measured();
    assert_eq!(breaker.all_events(), []);
}

fn should_force_open_circuit_breaker(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::ForcedOpen);
    breaker.all_events();
    assert!(!breaker.lets());
    breaker.advance(seconds(6));
    assert!(!breaker.lets());
    assert_eq!(breaker.state(), State::ForcedOpen);
    breaker.assert_metrics(None, 0, 0, 0, 2);
    assert_eq!(breaker.all_events(), []);
}

fn should_release_permission_when_exception_ignored(window: Window) {
    let breaker = Subject::half_open(settings(window));
    for successes in 1..=3 {
        breaker.ok();
        breaker.assert_metrics(None, successes, successes, 0, 0);
    }
    breaker.ignore();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.assert_metrics(None, 3, 3, 0, 0);
    // One of four failed: 25 percent.
    breaker.error();
    assert_eq!(breaker.state(), State::Closed);
    breaker.assert_nothing_measured();
    assert_eq!(breaker.snapshot().calls.ignored, 1);
}

fn should_ignore_exceptions_and_then_transition_to_closed(window: Window) {
    let breaker = Subject::half_open(settings(window));
    for _ in 0..40 {
        breaker.ignore();
        assert_eq!(breaker.snapshot().permits_left, Some(4));
    }
    breaker.assert_nothing_measured();
    for _ in 0..3 {
        breaker.ok();
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    breaker.ok();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.received(|event| *event == Event::IgnoredError), 40);
}

fn should_not_allow_transition_from_closed_to_half_open(window: Window) {
    let breaker = Subject::of(window);
    let refusal = breaker.breaker.transition_to(State::HalfOpen, breaker.now()).unwrap_err();
    assert_eq!(refusal, IllegalTransition { from: State::Closed, to: State::HalfOpen });
    assert_eq!(refusal.to_string(), "a circuit breaker does not go from closed to half_open");
    assert_eq!(breaker.state(), State::Closed);
}

fn should_reset_to_closed_state(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::Open);
    breaker.all_events();
    breaker.breaker.reset(breaker.now());
    assert_eq!(breaker.state(), State::Closed);
    let closed = Event::StateTransition { from: State::Open, to: State::Closed };
    assert_eq!(breaker.all_events(), [closed, Event::Reset]);
}

fn should_reset_closed_state(window: Window) {
    let breaker = Subject::of(window);
    breaker.ok();
    breaker.ok();
    breaker.assert_metrics(None, 2, 2, 0, 0);
    breaker.breaker.reset(breaker.now());
    assert_eq!(breaker.state(), State::Closed);
    breaker.assert_nothing_measured();
}

fn should_reset_metrics_after_metrics_only_state_transition(window: Window) {
    let breaker = Subject::of(window);
    breaker.ok();
    breaker.ok();
    breaker.assert_metrics(None, 2, 2, 0, 0);
    breaker.go(State::MetricsOnly);
    assert_eq!(breaker.state(), State::MetricsOnly);
    breaker.assert_nothing_measured();
}

fn should_record_metrics_in_metrics_only_state(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::MetricsOnly);
    breaker.all_events();
    let exceeded = |event: &Event| matches!(event, Event::FailureRateExceeded { .. });
    for failures in 1..=3 {
        breaker.error();
        breaker.assert_metrics(None, 0, failures, failures, 0);
    }
    breaker.ok();
    breaker.assert_metrics(None, 1, 4, 3, 0);
    assert_eq!(breaker.received(exceeded), 0);
    breaker.ok();
    breaker.assert_metrics(Some(60.0), 2, 5, 3, 0);
    assert_eq!(breaker.received(exceeded), 1);
    breaker.error();
    assert_eq!(breaker.received(exceeded), 1);
    assert_eq!(breaker.received(|event| matches!(event, Event::Error { .. })), 4);
    assert_eq!(breaker.received(|event| matches!(event, Event::Success { .. })), 2);
    assert_eq!((breaker.state(), breaker.transitions()), (State::MetricsOnly, 0));
    assert!(breaker.lets());
}

/// Unlike Resilience4j, this breaker reports a rate again that fell and rises again.
fn should_publish_each_event_once_in_metric_only_state(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::MetricsOnly);
    let exceeded = || {
        (
            breaker.received(|event| matches!(event, Event::FailureRateExceeded { .. })),
            breaker.received(|event| matches!(event, Event::SlowCallRateExceeded { .. })),
        )
    };
    for _ in 0..20 {
        breaker.fail(SLOW);
    }
    assert_eq!(exceeded(), (1, 1));
    for _ in 0..50 {
        breaker.ok();
    }
    assert_eq!(exceeded(), (1, 1));
    for _ in 0..200 {
        breaker.error();
    }
    assert_eq!(exceeded(), (2, 1));
}

fn all_circuit_breaker_states_allow_transition_to_metrics_only_mode(window: Window) {
    for state in State::ALL {
        let breaker = in_state(state, window);
        breaker.go(State::MetricsOnly);
        assert_eq!(breaker.state(), State::MetricsOnly);
    }
}

fn all_circuit_breaker_states_allow_transition_to_its_own_state(window: Window) {
    for state in State::ALL {
        let breaker = in_state(state, window);
        breaker.go(state);
        assert_eq!(breaker.state(), state);
    }
}

fn only_three_transitions_are_illegal(window: Window) {
    let mut illegal = Vec::new();
    for from in State::ALL {
        for to in State::ALL {
            let breaker = in_state(from, window);
            let result = breaker.breaker.transition_to(to, breaker.now());
            assert_eq!(breaker.state(), if result.is_ok() { to } else { from });
            illegal.extend(result.err().map(|refused| (refused.from, refused.to)));
        }
    }
    let expected = [
        (State::Closed, State::HalfOpen),
        (State::MetricsOnly, State::Open),
        (State::MetricsOnly, State::HalfOpen),
    ];
    assert_eq!(illegal, expected);
}

fn circuit_breaker_does_not_publish_state_transition_events_for_internal_transitions(
    window: Window,
) {
    let breaker = Subject::of(window);
    let way = [State::Open, State::HalfOpen, State::Disabled, State::MetricsOnly, State::Closed];
    for (transitions, state) in (1..).zip(way) {
        breaker.go(state);
        assert_eq!(breaker.transitions(), transitions);
        let before = breaker.snapshot();
        breaker.go(state);
        assert_eq!((breaker.transitions(), breaker.snapshot()), (transitions, before));
    }
}

fn circuit_breaker_transitions_to_open_after_wait_duration_in_half_open_state(window: Window) {
    let breaker =
        Subject::half_open(BreakerSettings { max_half_open: seconds(1), ..settings(window) });
    breaker.error();
    let late = breaker.call().unwrap();
    breaker.advance(seconds(1));
    assert_eq!(breaker.state(), State::Open);
    breaker.advance(seconds(1));
    late.succeeded(breaker.now());
    // One second of the 7.5 has passed by then, whenever the snapshot is taken.
    assert_eq!(breaker.snapshot().retry_in, Some(seconds(6) + seconds(1) / 2));
    breaker.assert_metrics(None, 1, 2, 1, 0);
    breaker.advance(seconds(7));
    assert!(breaker.lets());
    assert_eq!(breaker.state(), State::HalfOpen);
}

fn circuit_breaker_transitions_to_closed_after_wait_duration_in_half_open_state(window: Window) {
    let breaker = Subject::half_open(BreakerSettings {
        max_half_open: seconds(1),
        after_half_open: AfterHalfOpen::Closed,
        ..settings(window)
    });
    breaker.error();
    breaker.advance(seconds(1));
    assert_eq!(breaker.state(), State::Closed);
    breaker.assert_nothing_measured();
}

/// Code that classifies the error runs between the call and its outcome, and may panic.
fn should_not_leak_permit_when_record_exception_predicate_throws_in_half_open(window: Window) {
    let breaker = Subject::half_open(BreakerSettings { half_open_permits: 1, ..settings(window) });
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = breaker.call().unwrap();
        assert!(!breaker.lets());
        std::panic::resume_unwind(Box::new("the error is classified"));
    }));
    judged.unwrap_err();
    assert!(breaker.lets());
}

fn should_trip_exactly_at_the_threshold(window: Window) {
    let breaker = Subject::new(BreakerSettings { failure_rate: 40.0, ..settings(window) });
    breaker.ok();
    breaker.ok();
    breaker.error();
    breaker.ok();
    breaker.error();
    assert_eq!((breaker.state(), breaker.snapshot().failure_rate), (State::Open, Some(40.0)));

    let breaker = Subject::new(BreakerSettings { failure_rate: 40.1, ..settings(window) });
    breaker.ok();
    breaker.ok();
    breaker.error();
    breaker.ok();
    breaker.error();
    assert_eq!((breaker.state(), breaker.snapshot().failure_rate), (State::Closed, Some(40.0)));

    let breaker = Subject::new(BreakerSettings { slow_call_rate: 40.0, ..settings(window) });
    breaker.ok();
    breaker.ok();
    breaker.succeed(SLOW);
    breaker.ok();
    breaker.succeed(SLOW);
    assert_eq!((breaker.state(), breaker.snapshot().slow_call_rate), (State::Open, Some(40.0)));
}

fn should_not_trip_below_minimum_number_of_calls(window: Window) {
    let breaker = Subject::of(window);
    for _ in 0..4 {
        breaker.error();
        assert_eq!((breaker.state(), breaker.snapshot().failure_rate), (State::Closed, None));
    }
    breaker.error();
    assert_eq!(breaker.state(), State::Open);
}

fn test_record_slow_success_and_slow_error(window: Window) {
    let breaker = Subject::of(window);
    breaker.succeed(FAST);
    breaker.succeed(SLOW);
    breaker.fail(FAST);
    breaker.fail(SLOW);
    let is = breaker.snapshot();
    assert_eq!((is.window.calls, is.window.failed), (4, 2));
    assert_eq!((is.window.slow, is.window.slow_failed), (2, 1));
    assert_eq!((is.calls.successful, is.calls.slow_successful), (2, 1));
    assert_eq!((is.calls.failed, is.calls.slow_failed), (2, 1));
}

fn test_slow_calls_percentage(window: Window) {
    let breaker = Subject::of(window);
    breaker.go(State::MetricsOnly);
    breaker.fail(SLOW);
    breaker.fail(SLOW);
    breaker.succeed(SLOW);
    breaker.fail(FAST);
    breaker.succeed(FAST);
    let is = breaker.snapshot();
    assert_eq!((is.slow_call_rate, is.failure_rate), (Some(60.0), Some(60.0)));
}

fn should_decide_the_trial_at_minimum_number_of_calls(window: Window) {
    let breaker = Subject::half_open(BreakerSettings { half_open_permits: 10, ..settings(window) });
    let _under_way = [(); 5].map(|()| breaker.call().unwrap());
    for _ in 0..4 {
        breaker.ok();
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    breaker.ok();
    assert_eq!(breaker.state(), State::Closed);
}

fn in_state(state: State, window: Window) -> Subject {
    let breaker = Subject::of(window);
    if state == State::HalfOpen {
        breaker.go(State::Open);
    }
    breaker.go(state);
    breaker
}
