//! The loop that records how long this node has been cut off from a store that users need.

use std::time::Duration;

use adapter_http::NodeReadiness;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// An observation takes two locks and no I/O.
const EVERY: Duration = Duration::from_millis(100);

/// Observes outages until `stop` is cancelled.
pub(crate) async fn keep(readiness: NodeReadiness, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let steps = async {
        loop {
            ticks.tick().await;
            readiness.observe();
        }
    };
    stop.run_until_cancelled(steps).await;
}
