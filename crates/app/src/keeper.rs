//! The loops that call people, keep this node's view of the line fresh, and remember how far it has come.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use domain::queue::QueueService;
use domain::{PortError, PortErrorKind};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics::Waits;

/// A step that takes longer than this has failed.
const STEP_LIMIT: Duration = Duration::from_secs(2);

/// Calls people and looks at the line about every `refresh` until told to stop.
pub(crate) async fn keep(
    queue: Arc<QueueService>,
    waits: Waits,
    refresh: Duration,
    stop: CancellationToken,
) {
    let mut outage =
        Outage::new("the line stands still: its store cannot be asked", "the line moves again");
    let steps = async {
        loop {
            outage.note(step(&queue, &waits).await);
            sleep(jittered(refresh)).await;
        }
    };
    stop.run_until_cancelled(steps).await;
}

/// Keeps the checkpoint until told to stop.
pub(crate) async fn keep_checkpoint(
    queue: Arc<QueueService>,
    refresh: Duration,
    stop: CancellationToken,
) {
    let mut outage = Outage::new(
        "the checkpoint cannot be kept: joining stops when no reserved number is left",
        "the checkpoint is kept again",
    );
    let steps = async {
        loop {
            outage.note(checkpoint(&queue).await);
            sleep(jittered(refresh)).await;
        }
    };
    stop.run_until_cancelled(steps).await;
}

/// A node that waits longer than this to be trusted with numbers serves without them.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Refreshes this node's view until it may give numbers: a store that shares the queue trusts a new node after a second, and one
/// that may have lost something hears its witnesses first. A store that cannot be reached is not waited for: the loops report
/// it.
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

/// Calls whoever may be called, looks at the line, and counts how long those waited who were called.
pub(crate) async fn step(queue: &QueueService, waits: &Waits) -> Result<(), PortError> {
    let late = || Err(PortError::new(PortErrorKind::Timeout, "queue store"));
    let step = timeout(STEP_LIMIT, queue.advance()).await.unwrap_or_else(|_| late())?;
    waits.count(&step.waits);
    Ok(())
}

/// Remembers how far the line has come, when it is time to.
pub(crate) async fn checkpoint(queue: &QueueService) -> Result<(), PortError> {
    let late = || Err(PortError::new(PortErrorKind::Timeout, "checkpoint"));
    timeout(STEP_LIMIT, queue.remember()).await.unwrap_or_else(|_| late())
}

/// From nine tenths of it to eleven, so that nodes started together do not ask together.
fn jittered(period: Duration) -> Duration {
    // Each of these states is seeded anew, which is all the chance there is in the standard library.
    let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
    period.mul_f64(0.9 + 0.2 * chance)
}

/// Something that fails is logged when it begins to fail and when it works again, not every time.
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
