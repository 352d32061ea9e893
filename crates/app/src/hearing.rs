//! The loop that hears of invalidations.

use std::sync::Arc;
use std::time::Duration;

use decorators::cache::AnyCache;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Asks every so often until told to stop whether this kind was invalidated. A store that cannot tell is reported by the
/// loop that looks after it, and lifetimes go on meanwhile.
pub(crate) async fn keep(cache: Arc<dyn AnyCache>, every: Duration, stop: CancellationToken) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let steps = async {
        loop {
            ticks.tick().await;
            if let Err(error) = cache.hear().await {
                tracing::debug!(error = %error, kind = cache.kind(), "nobody knows whether this kind was invalidated");
            }
        }
    };
    stop.run_until_cancelled(steps).await;
}
