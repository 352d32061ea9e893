//! The connections of the listeners.

use adapter_http::{ConnectionCounts, Connections};
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::connections;

use super::Numbers;

const OF_A_LISTENER: Numbers<ConnectionCounts> = &[
    (&connections::OPEN, |counts| counts.open as f64),
    (&connections::LIMIT, |counts| counts.limit as f64),
];

/// Registers the metrics of every listener.
pub(crate) fn watch(meters: &Meters, listeners: &[Connections]) {
    for (metric, number) in OF_A_LISTENER {
        let listeners = listeners.to_vec();
        meters.watch(metric, move |reported| {
            for listener in &listeners {
                reported.is(&[listener.listener()], number(&listener.counts()));
            }
        });
    }
    let all = listeners.to_vec();
    meters.watch(&connections::ENDED, move |reported| {
        for listener in &all {
            for (reason, count) in listener.counts().ended {
                reported.is(&[listener.listener(), reason], count as f64);
            }
        }
    });
    let all = listeners.to_vec();
    meters.watch(&connections::REFUSED, move |reported| {
        for listener in &all {
            for (status, count) in listener.counts().refused {
                reported.is(&[listener.listener(), status], count as f64);
            }
        }
    });
}
