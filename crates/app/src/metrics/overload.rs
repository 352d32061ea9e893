//! The limits of the public routes.

use adapter_http::{GateCounts, Overload};
use telemetry::metrics::Meters;
use telemetry::metrics::catalogue::overload;

use super::Numbers;

const OF_A_GATE: Numbers<GateCounts> = &[
    (&overload::PASSED, |gate| gate.passed as f64),
    (&overload::WAITED, |gate| gate.waited as f64),
    (&overload::SHED, |gate| gate.refused as f64),
    (&overload::AT_WORK, |gate| gate.at_work as f64),
    (&overload::WAITING, |gate| gate.waiting as f64),
];

/// Registers the metrics of every limit.
pub(crate) fn watch(meters: &Meters, limits: &Overload) {
    for (metric, number) in OF_A_GATE {
        let limits = limits.clone();
        meters.watch(metric, move |told| {
            let counts = limits.counts();
            told.is(&["joining"], number(&counts.joining));
            told.is(&["asking"], number(&counts.asking));
            told.is(&["reading"], number(&counts.reading));
        });
    }
    let limits = limits.clone();
    meters.watch(&overload::RATE_LIMITED, move |told| {
        let counts = limits.counts();
        told.is(&["user"], counts.per_user_refused as f64);
        told.is(&["address"], counts.per_address_refused as f64);
        told.is(&["joining_address"], counts.joining_per_address_refused as f64);
        told.is(&["polling"], counts.polling_refused as f64);
    });
}
