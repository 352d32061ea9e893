//! The windows against a model: a list of all calls, counted from scratch each time.

use std::time::Duration;

use decorators::breaker::{Breaker, BreakerSettings, State, Tally, Window};
use proptest::prelude::*;

const SLOW: Duration = Duration::from_millis(250);
const STEPS: usize = 1_000;
/// With [`STEPS`] steps per case, 100,000 steps per property.
const CASES: u32 = 100;

#[derive(Clone, Debug)]
enum Step {
    Call { failed: bool, took: Duration },
    Pass(Duration),
    SetBack(Duration),
    Lookup,
}

fn step() -> impl Strategy<Value = Step> {
    let milliseconds = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    prop_oneof![
        10 => (any::<bool>(), prop_oneof![Just(SLOW), Just(SLOW + Duration::from_nanos(1)), milliseconds(0..400)])
            .prop_map(|(failed, took)| Step::Call { failed, took }),
        3 => milliseconds(0..1_500).prop_map(Step::Pass),
        1 => milliseconds(0..20_000).prop_map(Step::Pass),
        1 => milliseconds(0..100_000).prop_map(Step::SetBack),
        2 => Just(Step::Lookup),
    ]
}

/// All calls since the start, with the second in which each ended.
#[derive(Default)]
struct History {
    clock: Duration,
    time: Duration,
    calls: Vec<(u64, bool, bool)>,
}

impl History {
    /// Time follows the clock. It stands still while the clock is slightly behind; a clock far
    /// behind was set back.
    fn see(&mut self, clock: Duration) {
        if clock > self.clock {
            self.time += clock - self.clock;
        }
        if clock > self.clock || self.clock - clock > Duration::from_secs(10) {
            self.clock = clock;
        }
    }

    fn tally(&self, window: Window) -> Tally {
        let (newest, oldest_second) = match window {
            Window::Calls(calls) => (calls as usize, 0),
            Window::Seconds(seconds) => {
                (usize::MAX, (self.time.as_secs() + 1).saturating_sub(seconds.into()))
            }
        };
        let counted =
            self.calls.iter().rev().take(newest).filter(|(second, ..)| *second >= oldest_second);
        let mut tally = Tally::default();
        for &(_, failed, slow) in counted {
            tally.calls += 1;
            tally.failed += u64::from(failed);
            tally.slow += u64::from(slow);
            tally.slow_failed += u64::from(failed && slow);
        }
        tally
    }
}

fn rate(part: u64, tally: Tally, minimum: u32) -> Option<f64> {
    (tally.calls >= u64::from(minimum)).then(|| 100.0 * part as f64 / tally.calls as f64)
}

fn run(breaker: &Breaker, history: &mut History, settings: &BreakerSettings, steps: Vec<Step>) {
    let mut clock = Duration::from_secs(50);
    for step in steps {
        match step {
            Step::Pass(by) => clock += by,
            Step::SetBack(by) => clock = clock.saturating_sub(by),
            Step::Lookup => {}
            Step::Call { failed, took } => {
                let permit = breaker.try_acquire(clock).unwrap();
                history.see(clock);
                clock += took;
                history.see(clock);
                history.calls.push((history.time.as_secs(), failed, took > SLOW));
                if failed {
                    permit.failed(clock);
                } else {
                    permit.succeeded(clock);
                }
            }
        }
        let is = breaker.snapshot(clock);
        history.see(clock);
        let tally = history.tally(settings.window);
        assert_eq!(is.window, tally);
        let (failing, slow) = (
            rate(tally.failed, tally, settings.minimum_calls),
            rate(tally.slow, tally, settings.minimum_calls),
        );
        assert_eq!((is.failure_rate, is.slow_call_rate), (failing, slow));
        let exceeded = failing.is_some_and(|rate| rate >= settings.failure_rate)
            || slow.is_some_and(|rate| rate >= settings.slow_call_rate);
        // Successes that leave the window may lift a rate over its threshold: the breaker opens at
        // the next call.
        if matches!(step, Step::Call { .. }) && is.state != State::MetricsOnly {
            assert_eq!(is.state == State::Open, exceeded);
        }
        if is.state == State::Open {
            breaker.reset(clock);
            history.calls.clear();
        }
    }
}

fn settings(window: Window) -> BreakerSettings {
    BreakerSettings {
        window,
        minimum_calls: 10,
        failure_rate: 60.0,
        slow_call_rate: 75.0,
        slow_call: SLOW,
        ..BreakerSettings::resilience4j()
    }
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![(10..40_u32).prop_map(Window::Calls), (1..30_u32).prop_map(Window::Seconds)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), STEPS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn a_window_matches_the_model(window in window(), steps in steps()) {
        let settings = settings(window);
        let breaker = Breaker::new(settings.clone(), 0).unwrap();
        breaker.transition_to(State::MetricsOnly, Duration::ZERO).unwrap();
        run(&breaker, &mut History::default(), &settings, steps);
    }

    #[test]
    fn it_opens_exactly_when_the_model_does(window in window(), steps in steps()) {
        let settings = settings(window);
        let breaker = Breaker::new(settings.clone(), 0).unwrap();
        run(&breaker, &mut History::default(), &settings, steps);
    }
}
