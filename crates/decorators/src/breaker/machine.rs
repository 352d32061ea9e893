//! The state machine behind the lock: the effect of each step in each state.

use std::mem;
use std::time::Duration;

use super::backoff::Backoff;
use super::metrics::{Metrics, Rates};
use super::timeline::Timeline;
use super::window::Outcome;
use super::{
    AfterHalfOpen, BreakerSettings, CallCounts, Event, IllegalTransition, NotPermitted, Snapshot,
    State, Tally,
};

#[derive(Debug)]
pub(super) struct Machine {
    settings: BreakerSettings,
    timeline: Timeline,
    backoff: Backoff,
    phase: Phase,
    /// Incremented on every transition: a permit of an earlier trial is not returned to this one.
    period: u64,
    calls: CallCounts,
    /// Events to send once the lock is released.
    pub(super) changes: Vec<Event>,
}

/// A state and its data. `attempts` counts the openings since the breaker was closed; the wait
/// grows with it.
#[derive(Debug)]
enum Phase {
    Closed { metrics: Metrics },
    Open { metrics: Metrics, until: Duration, attempts: u32 },
    HalfOpen { metrics: Metrics, permits: u32, until: Option<Duration>, attempts: u32 },
    Disabled,
    ForcedOpen { attempts: u32 },
    MetricsOnly { metrics: Metrics, failing: bool, slow: bool },
}

impl Machine {
    pub(super) fn new(settings: BreakerSettings, seed: u64) -> Self {
        Self {
            phase: Phase::Closed { metrics: Metrics::of_all(&settings) },
            settings,
            timeline: Timeline::default(),
            backoff: Backoff::new(seed),
            period: 0,
            calls: CallCounts::default(),
            changes: Vec::new(),
        }
    }

    /// Permits a call and returns the period its permit belongs to.
    pub(super) fn admit(&mut self, now: Duration) -> Result<u64, NotPermitted> {
        let time = self.settle(now);
        if matches!(self.phase, Phase::Open { until, .. } if time > until) {
            self.half_open(time);
        }
        let retry_in = match &mut self.phase {
            Phase::Closed { .. } | Phase::Disabled | Phase::MetricsOnly { .. } => {
                return Ok(self.period);
            }
            Phase::HalfOpen { permits, .. } if *permits > 0 => {
                *permits -= 1;
                return Ok(self.period);
            }
            Phase::Open { until, .. } => Some(until.saturating_sub(time)),
            Phase::HalfOpen { .. } | Phase::ForcedOpen { .. } => None,
        };
        self.calls.not_permitted += 1;
        Err(NotPermitted { state: self.state(), retry_in })
    }

    /// Ends the wait of an open breaker, so that the next call is a trial. Has no effect in other
    /// states.
    pub(super) fn end_wait(&mut self, now: Duration) {
        let time = self.settle(now);
        if let Phase::Open { until, .. } = &mut self.phase {
            // A call is permitted after this moment, not at it.
            *until = (*until).min(time.saturating_sub(Duration::from_nanos(1)));
        }
    }

    /// Records an outcome in the current state, and returns whether listeners are notified. A late
    /// outcome may thus count in a trial that did not permit its call, as in Resilience4j; it takes
    /// none of its permits.
    pub(super) fn record(&mut self, failed: bool, took: Duration, now: Duration) -> bool {
        let time = self.settle(now);
        let received = self.state().tells_of_calls();
        let outcome = Outcome::of(failed, took > self.settings.slow_call);
        self.calls.count(outcome);
        match &mut self.phase {
            Phase::Closed { metrics } => {
                if let Some(rates) = metrics.record(time, outcome) {
                    self.judge_all(rates, time);
                }
            }
            Phase::HalfOpen { metrics, .. } => {
                if let Some(rates) = metrics.record(time, outcome) {
                    self.judge_trial(rates, time);
                }
            }
            Phase::Open { metrics, .. } => {
                metrics.record(time, outcome);
            }
            Phase::MetricsOnly { metrics, failing, slow } => {
                let before = (mem::take(failing), mem::take(slow));
                if let Some(rates) = metrics.record(time, outcome) {
                    (*failing, *slow) = (rates.failing(&self.settings), rates.slow(&self.settings));
                    self.publish_exceeded(rates, before);
                }
            }
            Phase::Disabled | Phase::ForcedOpen { .. } => {}
        }
        received
    }

    /// Counts an ignored call, and returns whether listeners are notified.
    pub(super) fn ignore(&mut self, period: u64) -> bool {
        self.calls.ignored += 1;
        self.release(period);
        self.state().tells_of_calls()
    }

    /// Returns a permit, if it belongs to this trial.
    pub(super) fn release(&mut self, period: u64) {
        if let Phase::HalfOpen { permits, .. } = &mut self.phase
            && period == self.period
        {
            *permits += 1;
        }
    }

    pub(super) fn snapshot(&mut self, now: Duration) -> Snapshot {
        let time = self.settle(now);
        let state = self.state();
        let (metrics, retry_in, permits_left) = match &mut self.phase {
            Phase::Closed { metrics } | Phase::MetricsOnly { metrics, .. } => {
                (Some(metrics), None, None)
            }
            Phase::Open { metrics, until, .. } => {
                (Some(metrics), Some(until.saturating_sub(time)), None)
            }
            Phase::HalfOpen { metrics, permits, .. } => (Some(metrics), None, Some(*permits)),
            Phase::Disabled | Phase::ForcedOpen { .. } => (None, None, None),
        };
        let (window, rates) = metrics
            .map_or((Tally::default(), None), |metrics| (metrics.tally(time), metrics.rates(time)));
        Snapshot {
            state,
            failure_rate: rates.map(|rates| rates.failure),
            slow_call_rate: rates.map(|rates| rates.slow_call),
            window,
            calls: self.calls,
            retry_in,
            permits_left,
        }
    }

    pub(super) fn transition_to(
        &mut self,
        to: State,
        now: Duration,
    ) -> Result<(), IllegalTransition> {
        let time = self.settle(now);
        let from = self.state();
        if from == to {
            return Ok(());
        }
        if !from.leads_to(to) {
            return Err(IllegalTransition { from, to });
        }
        match to {
            State::Closed => self.close(),
            State::Open => self.open(time),
            State::HalfOpen => self.half_open(time),
            State::Disabled => self.enter(Phase::Disabled),
            State::ForcedOpen => self.enter(Phase::ForcedOpen { attempts: self.next_attempt() }),
            State::MetricsOnly => {
                let metrics = Metrics::of_all(&self.settings);
                self.enter(Phase::MetricsOnly { metrics, failing: false, slow: false });
            }
        }
        Ok(())
    }

    pub(super) fn reset(&mut self, now: Duration) {
        self.settle(now);
        self.close();
        self.changes.push(Event::Reset);
    }

    /// Ends a trial that exceeded its time limit and returns the current time. The trial ends when
    /// its limit passed, not at this call.
    fn settle(&mut self, now: Duration) -> Duration {
        let time = self.timeline.at(now);
        if let Phase::HalfOpen { until: Some(until), .. } = self.phase
            && time >= until
        {
            match self.settings.after_half_open {
                AfterHalfOpen::Open => self.open(until),
                AfterHalfOpen::Closed => self.close(),
            }
        }
        time
    }

    fn judge_all(&mut self, rates: Rates, time: Duration) {
        if rates.failing(&self.settings) || rates.slow(&self.settings) {
            self.publish_exceeded(rates, (false, false));
            self.open(time);
        }
    }

    fn judge_trial(&mut self, rates: Rates, time: Duration) {
        if rates.failing(&self.settings) || rates.slow(&self.settings) {
            self.open(time);
        } else {
            self.close();
        }
    }

    /// Emits events for the rates that exceed their threshold now and did not before.
    fn publish_exceeded(&mut self, rates: Rates, (failing, slow): (bool, bool)) {
        if rates.failing(&self.settings) && !failing {
            self.changes.push(Event::FailureRateExceeded { rate: rates.failure });
        }
        if rates.slow(&self.settings) && !slow {
            self.changes.push(Event::SlowCallRateExceeded { rate: rates.slow_call });
        }
    }

    fn close(&mut self) {
        self.enter(Phase::Closed { metrics: Metrics::of_all(&self.settings) });
    }

    /// Opens and keeps the window, to which late outcomes are added.
    fn open(&mut self, time: Duration) {
        let attempts = self.next_attempt();
        let until = time.saturating_add(self.backoff.wait(&self.settings, attempts));
        let mut metrics = Metrics::of_all(&self.settings);
        if let Phase::Closed { metrics: before } | Phase::HalfOpen { metrics: before, .. } =
            &mut self.phase
        {
            mem::swap(&mut metrics, before);
        }
        self.enter(Phase::Open { metrics, until, attempts });
    }

    fn half_open(&mut self, time: Duration) {
        let longest = self.settings.max_half_open;
        self.enter(Phase::HalfOpen {
            metrics: Metrics::of_trial(&self.settings),
            permits: self.settings.half_open_permits,
            until: (!longest.is_zero()).then(|| time.saturating_add(longest)),
            attempts: self.attempts(),
        });
    }

    fn enter(&mut self, phase: Phase) {
        let from = self.state();
        self.phase = phase;
        self.period += 1;
        let to = self.state();
        if from != to {
            self.changes.push(Event::StateTransition { from, to });
        }
    }

    const fn attempts(&self) -> u32 {
        match self.phase {
            Phase::Open { attempts, .. }
            | Phase::HalfOpen { attempts, .. }
            | Phase::ForcedOpen { attempts } => attempts,
            Phase::Closed { .. } | Phase::Disabled | Phase::MetricsOnly { .. } => 0,
        }
    }

    const fn next_attempt(&self) -> u32 {
        self.attempts().saturating_add(1)
    }

    const fn state(&self) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Disabled => State::Disabled,
            Phase::ForcedOpen { .. } => State::ForcedOpen,
            Phase::MetricsOnly { .. } => State::MetricsOnly,
        }
    }
}
