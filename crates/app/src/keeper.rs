//! The loop that calls people and keeps this node's view of the line fresh.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::QueueService;
use domain::{PortError, PortErrorKind};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// A step that takes longer than this has failed.
const STEP_LIMIT: Duration = Duration::from_secs(2);

/// Takes one step every `refresh` until told to stop.
pub(crate) async fn keep(queue: Arc<QueueService>, refresh: Duration, stop: CancellationToken) {
    let mut ticks = interval(refresh);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    let steps = async {
        loop {
            ticks.tick().await;
            note(step(&queue).await, &mut is_failing);
        }
    };
    stop.run_until_cancelled(steps).await;
}

/// Calls whoever may be called, and looks at the line.
pub(crate) async fn step(queue: &QueueService) -> Result<(), PortError> {
    let late = || Err(PortError::new(PortErrorKind::Timeout, "queue store"));
    timeout(STEP_LIMIT, queue.advance()).await.unwrap_or_else(|_| late()).map(drop)
}

/// A store that fails is logged when it begins to fail and when it works again, not every time.
fn note(step: Result<(), PortError>, is_failing: &mut bool) {
    let was_failing = std::mem::replace(is_failing, step.is_err());
    match step {
        Ok(()) if was_failing => tracing::info!("the line moves again"),
        Err(error) if !was_failing => {
            tracing::error!(error = %error, "the line stands still: its store cannot be asked");
        }
        Ok(()) | Err(_) => {}
    }
}
