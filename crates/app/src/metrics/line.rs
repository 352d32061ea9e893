//! The queue: this node's view of it, its counters, and how long users waited.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::{QueueService, View, Wait};
use telemetry::metrics::catalogue::line;
use telemetry::metrics::{Meters, Series};

use super::Numbers;

/// Metrics that each read one number from the view.
const OF_THE_VIEW: Numbers<View> = &[
    (&line::LAST, |view| view.line.last() as f64),
    (&line::SERVING, |view| view.line.serving() as f64),
    (&line::WAITING, |view| view.waiting as f64),
    (&line::CALLED, |view| view.called as f64),
    (&line::ACTIVE, |view| view.active as f64),
    (&line::ACTIVE_LIMIT, |view| view.max_active.into()),
    (&line::CALLS, |view| view.people_called as f64),
    (&line::CLAIMED, |view| view.tally.claimed as f64),
    (&line::LAPSED, |view| view.tally.lapsed as f64),
    (&line::LEFT, |view| view.tally.left as f64),
    (&line::ENDED, |view| view.tally.ended as f64),
    // A node that has never seen its queue has an infinitely stale view.
    (&line::VIEW_AGE, |view| view.age.map_or(f64::INFINITY, |age| age.as_secs_f64())),
    (&line::VIEW_LIMIT, |view| view.stale_after.as_secs_f64()),
    (&line::STEP_TIME, |view| {
        view.last_step.map_or(0.0, |step| step.as_millisecond() as f64 / 1e3)
    }),
    (&line::RECOVERING, |view| view.recovers.into()),
];

/// Registers the metrics of the queue with this name.
pub(crate) fn watch(meters: &Meters, queue: &Arc<QueueService>, name: &str) {
    for (metric, number) in OF_THE_VIEW {
        let (queue, name) = (Arc::clone(queue), name.to_owned());
        meters.watch(metric, move |told| told.is(&[&name], number(&queue.view())));
    }
    let (service, label) = (Arc::clone(queue), name.to_owned());
    meters.watch(&line::JOINED, move |told| {
        let counts = service.counts();
        told.is(&[&label, "new"], counts.joined_new as f64);
        told.is(&[&label, "again"], counts.joined_again as f64);
    });
    let (service, label) = (Arc::clone(queue), name.to_owned());
    meters.watch(&line::REFUSED, move |told| {
        for (reason, count) in service.counts().refused() {
            told.is(&[&label, reason], count as f64);
        }
    });
}

/// Records how long users waited, and the error of the wait that they were promised.
pub(crate) struct Waits {
    waits: Series,
    early: Series,
    late: Series,
}

/// Of people who were called together this many are recorded. A policy that calls more in one step has
/// them all wait about as long.
const MOST_RECORDED: u64 = 10_000;

impl Waits {
    pub(crate) fn new(meters: &Meters, queue: &str) -> Self {
        let error = meters.histogram(&line::PROMISE_ERROR);
        Self {
            waits: meters.histogram(&line::WAIT).series(&[queue]),
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
