//! Invalid settings are refused; waits grow and are jittered.

use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, State, Window};

use super::subject::seconds;

#[test]
fn the_defaults_are_valid() {
    assert_eq!(BreakerSettings::default().check(), Ok(()));
    assert_eq!(BreakerSettings::resilience4j().check(), Ok(()));
}

#[test]
fn an_invalid_setting_is_named() {
    type Spoil = fn(&mut BreakerSettings);
    let spoiled: [(&str, Spoil); 20] = [
        ("window", |of| of.window = Window::Calls(0)),
        ("window", |of| of.window = Window::Seconds(0)),
        ("window", |of| of.window = Window::Calls(1_000_001)),
        ("minimum_calls", |of| of.minimum_calls = 0),
        ("failure_rate", |of| of.failure_rate = 0.0),
        ("failure_rate", |of| of.failure_rate = 100.1),
        ("failure_rate", |of| of.failure_rate = f64::NAN),
        ("slow_call_rate", |of| of.slow_call_rate = -1.0),
        ("slow_call_rate", |of| of.slow_call_rate = f64::INFINITY),
        ("slow_call", |of| of.slow_call = Duration::ZERO),
        ("wait_in_open", |of| of.wait_in_open = Duration::ZERO),
        ("wait_multiplier", |of| of.wait_multiplier = 0.9),
        ("wait_multiplier", |of| of.wait_multiplier = f64::NAN),
        ("wait_multiplier", |of| of.wait_multiplier = f64::INFINITY),
        ("max_wait_in_open", |of| of.max_wait_in_open = of.wait_in_open / 2),
        ("wait_jitter", |of| of.wait_jitter = -0.1),
        ("wait_jitter", |of| of.wait_jitter = 1.0),
        ("wait_jitter", |of| of.wait_jitter = f64::NAN),
        ("half_open_permits", |of| of.half_open_permits = 0),
        ("half_open_permits", |of| of.half_open_permits = u32::MAX),
    ];
    for (field, spoil) in spoiled {
        let mut settings = BreakerSettings::default();
        spoil(&mut settings);
        let refusal = Breaker::new(settings, 0).unwrap_err();
        assert_eq!(refusal.field, field);
        assert!(refusal.to_string().starts_with(&format!("breaker setting {field} must be ")));
    }
}

#[test]
fn jitter_spreads_waits_evenly_around_the_base_wait() {
    let waits: Vec<f64> = (0..1_000).map(|seed| first_wait(seed).as_secs_f64()).collect();
    let (least, max) = waits
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, max), &wait| (least.min(wait), max.max(wait)));
    assert!((0.8..0.81).contains(&least) && (1.19..1.2).contains(&max), "{least} to {max}");
    let mean = waits.iter().sum::<f64>() / 1_000.0;
    assert!((0.98..1.02).contains(&mean), "{mean}");
    assert_eq!(first_wait(7), first_wait(7));
}

#[test]
fn waits_never_exceed_the_maximum() {
    let settings =
        BreakerSettings { wait_jitter: 0.0, wait_multiplier: 1e300, ..BreakerSettings::default() };
    let breaker = Breaker::new(settings, 0).unwrap();
    for opening in 0..100 {
        breaker.transition_to(State::Open, Duration::ZERO).unwrap();
        let wait = breaker.snapshot(Duration::ZERO).retry_in;
        assert_eq!(wait, Some(seconds(if opening == 0 { 1 } else { 15 })));
        breaker.transition_to(State::HalfOpen, Duration::ZERO).unwrap();
    }
}

#[test]
fn an_endless_wait_does_not_overflow() {
    let settings = BreakerSettings {
        wait_in_open: Duration::MAX,
        max_wait_in_open: Duration::MAX,
        max_half_open: Duration::MAX,
        ..BreakerSettings::default()
    };
    let breaker = Breaker::new(settings, 0).unwrap();
    breaker.transition_to(State::Open, seconds(1)).unwrap();
    assert!(breaker.try_acquire(seconds(1_000_000)).is_err());
    breaker.transition_to(State::HalfOpen, seconds(1_000_000)).unwrap();
    assert!(breaker.try_acquire(seconds(2_000_000)).is_ok());
}

fn first_wait(seed: u64) -> Duration {
    let breaker = Breaker::new(BreakerSettings::default(), seed).unwrap();
    breaker.transition_to(State::Open, Duration::ZERO).unwrap();
    breaker.snapshot(Duration::ZERO).retry_in.unwrap()
}
