//! The loop that looks after something the service depends on, so that readiness can tell without asking it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::Outages;
use domain::{Dependency, PortError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Checks every so often until told to stop, and shows what it sees in `outages`.
pub(crate) async fn look_after(
    dependency: Arc<dyn Dependency>,
    every: Duration,
    outages: Outages,
    stop: CancellationToken,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    let checks = async {
        loop {
            ticks.tick().await;
            let seen = dependency.check().await.err();
            match &seen {
                Some(error) => outages.begin(dependency.name(), error.kind()),
                None => outages.end(dependency.name()),
            }
            let cause = seen.as_ref().map(cause_of);
            if cause != last {
                report(dependency.name(), cause.as_deref());
                last = cause;
            }
        }
    };
    stop.run_until_cancelled(checks).await;
}

fn cause_of(error: &PortError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// An outage is logged when it begins, when its cause becomes another, and when it ends; not every time.
fn report(dependency: &'static str, cause: Option<&str>) {
    match cause {
        Some(cause) => {
            tracing::error!(
                dependency,
                cause,
                "a dependency is down: what needs it is answered from what was kept, or refused"
            );
        }
        None => tracing::info!(dependency, "a dependency is back"),
    }
}
