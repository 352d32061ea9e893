//! The loops that call waiting users, refresh this node's view of the queue, and save its
//! checkpoint.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::QueueService;
use domain::{Dependency, PortError, PortErrorKind};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics::Waits;

/// The timeout of one step.
const STEP_LIMIT: Duration = Duration::from_secs(2);

/// Calls users and refreshes the view about every `refresh` until `stop` is cancelled.
pub(crate) async fn keep(
    queue: Arc<QueueService>,
    waits: Waits,
    refresh: Duration,
    stop: CancellationToken,
) {
    let mut outage = Outage::new(
        "the queue does not advance: the call to its store failed",
        "the queue advances again",
    );
    let steps = async {
        loop {
            outage.note(step(&queue, &waits).await);
            sleep(jittered(refresh)).await;
        }
    };
    stop.run_until_cancelled(steps).await;
}

/// Saves the checkpoint about every `refresh` until `stop` is cancelled.
pub(crate) async fn keep_checkpoint(
    queue: Arc<QueueService>,
    refresh: Duration,
    stop: CancellationToken,
) {
    let mut outage = Outage::new(
        "the checkpoint cannot be saved: joins fail once the reserved numbers run out",
        "the checkpoint is saved again",
    );
    let steps = async {
        loop {
            outage.note(checkpoint(&queue).await);
            sleep(jittered(refresh)).await;
        }
    };
    stop.run_until_cancelled(steps).await;
}

/// A node that may not issue numbers within this time starts serving without them.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Refreshes this node's view until it may issue numbers. A shared store accepts a new node after a
/// second, or after recovery if it may have lost data. An unreachable store is not waited for: the
/// loops report it.
pub(crate) async fn get_ready(queue: &QueueService, waits: &Waits, refresh: Duration) {
    let steps = async {
        while step(queue, waits).await.is_ok() {
            checkpoint(queue).await.ok();
            if queue.view().may_join {
                return;
            }
            sleep(refresh).await;
        }
    };
    timeout(READY_LIMIT, steps).await.ok();
}

/// Calls the next users, refreshes the view, and records how long the called users waited.
pub(crate) async fn step(queue: &QueueService, waits: &Waits) -> Result<(), PortError> {
    let late = || Err(PortError::new(PortErrorKind::Timeout, Dependency::QUEUE));
    let step = timeout(STEP_LIMIT, queue.tick()).await.unwrap_or_else(|_| late())?;
    waits.count(&step.waits);
    Ok(())
}

/// Saves the checkpoint if it is due.
pub(crate) async fn checkpoint(queue: &QueueService) -> Result<(), PortError> {
    let late = || Err(PortError::new(PortErrorKind::Timeout, Dependency::CHECKPOINT));
    timeout(STEP_LIMIT, queue.save_checkpoint()).await.unwrap_or_else(|_| late())
}

/// 0.9 to 1.1 times the period, so that nodes started together do not call the store together.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// Logs a failure when it begins and when it ends, not every time.
struct Outage {
    begins: &'static str,
    ends: &'static str,
    is_on: bool,
}

impl Outage {
    fn new(begins: &'static str, ends: &'static str) -> Self {
        Self { begins, ends, is_on: false }
    }

    fn note(&mut self, step: Result<(), PortError>) {
        let was_on = std::mem::replace(&mut self.is_on, step.is_err());
        match step {
            Ok(()) if was_on => tracing::info!("{}", self.ends),
            Err(error) if !was_on => tracing::error!(error = %error, "{}", self.begins),
            Ok(()) | Err(_) => {}
        }
    }
}
