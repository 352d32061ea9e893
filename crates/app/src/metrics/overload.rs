//! The limits of the public routes.

use adapter_http::{LimiterCounts, LoadShedder};
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::overload;

use super::Numbers;

const OF_A_LIMITER: Numbers<LimiterCounts> = &[
    (&overload::PASSED, |limiter| limiter.passed as f64),
    (&overload::WAITED, |limiter| limiter.waited as f64),
    (&overload::SHED, |limiter| limiter.refused as f64),
    (&overload::IN_FLIGHT, |limiter| limiter.in_flight as f64),
    (&overload::WAITING, |limiter| limiter.waiting as f64),
];

/// Registers the metrics of every limit.
pub(crate) fn watch(meters: &Meters, limits: &LoadShedder) {
    for (metric, number) in OF_A_LIMITER {
        let limits = limits.clone();
        meters.watch(metric, move |reported| {
            let counts = limits.counts();
            reported.is(&["joining"], number(&counts.joining));
            reported.is(&["asking"], number(&counts.asking));
            reported.is(&["reading"], number(&counts.reading));
        });
    }
    let limits = limits.clone();
    meters.watch(&overload::RATE_LIMITED, move |reported| {
        let counts = limits.counts();
        reported.is(&["user"], counts.per_user_refused as f64);
        reported.is(&["address"], counts.per_address_refused as f64);
        reported.is(&["joining_address"], counts.joining_per_address_refused as f64);
        reported.is(&["polling"], counts.polling_refused as f64);
    });
}
