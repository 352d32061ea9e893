//! The loop that calls people and keeps this node's view of the line fresh.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::QueueService;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Takes one step every `refresh` until told to stop. A store that fails is logged when it begins to fail and when it
/// works again, not every time.
pub(crate) async fn keep(queue: Arc<QueueService>, refresh: Duration, stop: CancellationToken) {
    let mut ticks = interval(refresh);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match queue.advance().await {
            Ok(_) if is_failing => {
                is_failing = false;
                tracing::info!("the line moves again");
            }
            Ok(_) => {}
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::error!(error = %error, "the line stands still: its store cannot be asked");
            }
            Err(_) => {}
        }
    }
}
