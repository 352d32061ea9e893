//! The queue: this node's view of it, its counters, and how long users waited.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::{QueueService, QueueStats, Wait};
use telemetry::metrics::catalog::queue;
use telemetry::metrics::{Meters, Series};

use super::Numbers;

/// Metrics that each read one number from the view.
const OF_THE_VIEW: Numbers<QueueStats> = &[
    (&queue::LAST, |view| view.counters.last() as f64),
    (&queue::SERVING, |view| view.counters.serving() as f64),
    (&queue::WAITING, |view| view.waiting as f64),
    (&queue::CALLED, |view| view.called as f64),
    (&queue::ACTIVE, |view| view.active as f64),
    (&queue::ACTIVE_LIMIT, |view| view.max_active.into()),
    (&queue::CALLS, |view| view.people_called as f64),
    (&queue::CLAIMED, |view| view.outcomes.claimed as f64),
    (&queue::LAPSED, |view| view.outcomes.lapsed as f64),
    (&queue::LEFT, |view| view.outcomes.left as f64),
    (&queue::ENDED, |view| view.outcomes.ended as f64),
    // A node that has never seen its queue has an infinitely stale view.
    (&queue::VIEW_AGE, |view| view.age.map_or(f64::INFINITY, |age| age.as_secs_f64())),
    (&queue::VIEW_LIMIT, |view| view.stale_after.as_secs_f64()),
    (&queue::STEP_TIME, |view| {
        view.last_step.map_or(0.0, |step| step.as_millisecond() as f64 / 1e3)
    }),
    (&queue::RECOVERING, |view| view.recovers.into()),
];

/// Registers the metrics of the queue with this name.
pub(crate) fn watch(meters: &Meters, queue: &Arc<QueueService>, name: &str) {
    for (metric, number) in OF_THE_VIEW {
        let (queue, name) = (Arc::clone(queue), name.to_owned());
        meters.watch(metric, move |reported| reported.is(&[&name], number(&queue.view())));
    }
    let (service, label) = (Arc::clone(queue), name.to_owned());
    meters.watch(&queue::JOINED, move |reported| {
        let counts = service.counts();
        reported.is(&[&label, "new"], counts.joined_new as f64);
        reported.is(&[&label, "again"], counts.joined_again as f64);
    });
    let (service, label) = (Arc::clone(queue), name.to_owned());
    meters.watch(&queue::REFUSED, move |reported| {
        for (reason, count) in service.counts().refused() {
            reported.is(&[&label, reason], count as f64);
        }
    });
}

/// Records how long users waited, and the error of the wait that they were promised.
pub(crate) struct Waits {
    waits: Series,
    early: Series,
    late: Series,
}

/// Of people who were called together this many are recorded. A policy that calls more in one step
/// has them all wait about as long.
const MOST_RECORDED: u64 = 10_000;

impl Waits {
    pub(crate) fn new(meters: &Meters, queue: &str) -> Self {
        let error = meters.histogram(&queue::PROMISE_ERROR);
        Self {
            waits: meters.histogram(&queue::WAIT).series(&[queue]),
            early: error.series(&[queue, "early"]),
            late: error.series(&[queue, "late"]),
        }
    }

    /// Records every user that one step called.
    pub(crate) fn count(&self, waits: &[Wait]) {
        for wait in waits {
            let (direction, by) = self.error(wait);
            // The histogram has no weights, and the loop that calls people waits for this.
            for _ in 0..wait.people.min(MOST_RECORDED) {
                self.waits.record(wait.waited.as_secs_f64());
                direction.record(by.as_secs_f64());
            }
        }
    }

    fn error(&self, wait: &Wait) -> (&Series, Duration) {
        match wait.waited.checked_sub(wait.promised) {
            Some(late) => (&self.late, late),
            None => (&self.early, wait.promised - wait.waited),
        }
    }
}
