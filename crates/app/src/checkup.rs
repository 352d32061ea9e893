//! The loop that looks after something the service depends on, so that readiness can tell without asking it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use adapter_http::Outages;
use domain::{Dependency, PortError, PortErrorKind};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// A dependency that has not answered within this is down.
const CHECK_LIMIT: Duration = Duration::from_secs(3);

/// Checks every so often until told to stop, and shows what it sees in `outages`.
pub(crate) async fn look_after(
    dependency: Arc<dyn Dependency>,
    every: Duration,
    outages: Outages,
    stop: CancellationToken,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let checks = async {
        loop {
            ticks.tick().await;
            let check = timeout(CHECK_LIMIT, dependency.check()).await;
            let late = |_| Err(PortError::new(PortErrorKind::Timeout, dependency.name()));
            note(dependency.name(), check.unwrap_or_else(late), &outages);
        }
    };
    stop.run_until_cancelled(checks).await;
}

/// An outage is logged when it begins and when it ends, not every time.
fn note(name: &'static str, seen: Result<(), PortError>, outages: &Outages) {
    match seen {
        Ok(()) => {
            if outages.end(name) {
                tracing::info!(dependency = name, "a dependency is back");
            }
        }
        Err(error) => {
            if outages.begin(name, error.kind()) {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                tracing::error!(dependency = name, kind = %error.kind(), cause, "a dependency is down: what needs it is answered with 503 until it is back");
            }
        }
    }
}
