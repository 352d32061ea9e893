//! The loop that polls for cache invalidations.

use std::sync::Arc;
use std::time::Duration;

use decorators::cache::AnyCache;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Polls every `every` until `stop` is cancelled. If the store fails, the health check of the
/// dependency reports it, and entries expire by their lifetimes meanwhile.
pub(crate) async fn keep(cache: Arc<dyn AnyCache>, every: Duration, stop: CancellationToken) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let steps = async {
        loop {
            ticks.tick().await;
            if let Err(error) = cache.poll_invalidations().await {
                tracing::debug!(error = %error, kind = cache.kind(), "invalidation check failed");
            }
        }
    };
    stop.run_until_cancelled(steps).await;
}
