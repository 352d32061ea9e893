//! Circuit breakers, bulkheads and retries.

use std::sync::Arc;

use adapter_http::Protection;
use decorators::breaker::{Snapshot, State};
use decorators::breaking::Breaking;
use telemetry::metrics::catalogue::protection;
use telemetry::metrics::{Meters, Metric, Watched};

/// Registers the metrics of every layer.
pub(crate) fn watch(meters: &Meters, layers: &Protection) {
    watch_breakers(meters, &layers.breakers);
    let bulkheads = layers.bulkheads.clone();
    meters.watch(&protection::BULKHEAD_REFUSED, move |told| {
        for bulkhead in &bulkheads {
            told.is(&[bulkhead.dependency()], bulkhead.refused() as f64);
        }
    });
    if let Some(retry) = layers.retry.clone() {
        meters.watch(&protection::RETRIED, move |told| told.is(&[], retry.retried() as f64));
    }
}

/// Reports one metric of a breaker.
type Tell = fn(&Watched<'_>, &'static str, &Snapshot);

const OF_A_BREAKER: &[(&Metric, Tell)] = &[
    (&protection::BREAKER_STATE, |told, breaker, snapshot| {
        for state in State::ALL {
            told.is(&[breaker, state.as_str()], (state == snapshot.state).into());
        }
    }),
    (&protection::BREAKER_CALLS, |told, breaker, snapshot| {
        let calls = &snapshot.calls;
        told.is(&[breaker, "successful"], calls.successful as f64);
        told.is(&[breaker, "failed"], calls.failed as f64);
        told.is(&[breaker, "ignored"], calls.ignored as f64);
        told.is(&[breaker, "not_permitted"], calls.not_permitted as f64);
    }),
    (&protection::BREAKER_SLOW, |told, breaker, snapshot| {
        told.is(&[breaker], (snapshot.calls.slow_successful + snapshot.calls.slow_failed) as f64);
    }),
    (&protection::BREAKER_FAILURE_RATE, |told, breaker, snapshot| {
        if let Some(percent) = snapshot.failure_rate {
            told.is(&[breaker], percent / 100.0);
        }
    }),
    (&protection::BREAKER_SLOW_RATE, |told, breaker, snapshot| {
        if let Some(percent) = snapshot.slow_call_rate {
            told.is(&[breaker], percent / 100.0);
        }
    }),
];

fn watch_breakers(meters: &Meters, breakers: &[Arc<Breaking>]) {
    for (metric, tell) in OF_A_BREAKER {
        let breakers = breakers.to_vec();
        meters.watch(metric, move |told| {
            for breaker in &breakers {
                tell(told, breaker.dependency(), &breaker.snapshot());
            }
        });
    }
}
