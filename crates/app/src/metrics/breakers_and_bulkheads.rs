//! Circuit breakers, bulkheads and retries.

use std::sync::Arc;

use decorators::breaker::{Snapshot, State};
use decorators::breaker_layer::CircuitBreakerLayer;
use decorators::registry::Registry;
use telemetry::metrics::catalog::breakers_and_bulkheads;
use telemetry::metrics::{Meters, Metric, Watched};

/// Registers the metrics of every layer.
pub(crate) fn watch(meters: &Meters, layers: &Registry) {
    watch_breakers(meters, &layers.breakers());
    let bulkheads = layers.bulkheads();
    meters.watch(&breakers_and_bulkheads::BULKHEAD_REFUSED, move |reported| {
        for bulkhead in &bulkheads {
            reported.is(&[bulkhead.dependency().as_str()], bulkhead.refused() as f64);
        }
    });
    if let Some(retry) = layers.retry() {
        meters.watch(&breakers_and_bulkheads::RETRIED, move |reported| {
            reported.is(&[], retry.retried() as f64);
        });
    }
}

/// Reports one metric of a breaker.
type Tell = fn(&Watched<'_>, &'static str, &Snapshot);

const OF_A_BREAKER: &[(&Metric, Tell)] = &[
    (&breakers_and_bulkheads::BREAKER_STATE, |reported, breaker, snapshot| {
        for state in State::ALL {
            reported.is(&[breaker, state.as_str()], (state == snapshot.state).into());
        }
    }),
    (&breakers_and_bulkheads::BREAKER_CALLS, |reported, breaker, snapshot| {
        let calls = &snapshot.calls;
        reported.is(&[breaker, "successful"], calls.successful as f64);
        reported.is(&[breaker, "failed"], calls.failed as f64);
        reported.is(&[breaker, "ignored"], calls.ignored as f64);
        reported.is(&[breaker, "not_permitted"], calls.not_permitted as f64);
    }),
    (&breakers_and_bulkheads::BREAKER_SLOW, |reported, breaker, snapshot| {
        reported
            .is(&[breaker], (snapshot.calls.slow_successful + snapshot.calls.slow_failed) as f64);
    }),
    (&breakers_and_bulkheads::BREAKER_FAILURE_RATE, |reported, breaker, snapshot| {
        if let Some(percent) = snapshot.failure_rate {
            reported.is(&[breaker], percent / 100.0);
        }
    }),
    (&breakers_and_bulkheads::BREAKER_SLOW_RATE, |reported, breaker, snapshot| {
        if let Some(percent) = snapshot.slow_call_rate {
            reported.is(&[breaker], percent / 100.0);
        }
    }),
];

fn watch_breakers(meters: &Meters, breakers: &[Arc<CircuitBreakerLayer>]) {
    for (metric, notify) in OF_A_BREAKER {
        let breakers = breakers.to_vec();
        meters.watch(metric, move |reported| {
            for breaker in &breakers {
                notify(reported, breaker.dependency().as_str(), &breaker.snapshot());
            }
        });
    }
}
