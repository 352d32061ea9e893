//! The version and configuration of the program, and its phase.

use adapter_http::{Lifecycle, Phase};
use telemetry::metrics::Meters;
use telemetry::metrics::catalog::telemetry::{BUILD_INFO, PHASE};

/// Registers the phase, the version and the hash of the configuration.
pub(crate) fn watch(meters: &Meters, lifecycle: &Lifecycle, config_hash: &str) {
    let hash = config_hash.to_owned();
    meters
        .watch(&BUILD_INFO, move |reported| reported.is(&[env!("CARGO_PKG_VERSION"), &hash], 1.0));
    let lifecycle = lifecycle.clone();
    meters.watch(&PHASE, move |reported| {
        for (phase, name) in [
            (Phase::Starting, "starting"),
            (Phase::Serving, "serving"),
            (Phase::Draining, "draining"),
        ] {
            reported.is(&[name], (lifecycle.phase() == phase).into());
        }
    });
}
