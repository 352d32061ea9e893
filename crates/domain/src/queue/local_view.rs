//! A node's view of its queue, from which it serves status queries.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::waits::Timeline;
use super::{
    AdmissionPolicy, Forecast, Incarnation, Incarnations, Occupancy, OutcomeCounts, Position,
    QueueCounters, QueueNumber, Shown, Snapshot, VacantNumbers, Wait, WaitEstimator, WaitLimit,
};
use crate::Timestamp;

/// The status of one number in one snapshot of the view.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberStatus {
    /// Whether it has been called.
    pub(super) is_called: bool,
    /// Whether it was abandoned, as of the last refresh.
    pub(super) has_left: bool,
    /// People ahead plus one; 0 once called.
    pub(super) position: Position,
    /// Estimated time until the call.
    pub(super) eta: Duration,
    /// The limit that determines the estimate.
    pub(super) limit: WaitLimit,
    /// Whether a token of its incarnation is accepted: the queue knows it, or may still learn of
    /// it.
    pub(super) is_accepted: bool,
    /// Whether the store may not know the holder yet, or may know more of the place than this node.
    pub(super) is_unproved: bool,
}

/// The highest marks this node has seen, and the rest of the last snapshot. The marks move with
/// every response that carries them, the rest with each refresh.
#[derive(Debug)]
pub(super) struct LocalView {
    last: AtomicU64,
    serving: AtomicU64,
    /// When the last refresh began, by the node's own clock, in milliseconds since the epoch.
    refreshed: AtomicI64,
    slow: RwLock<SlowPart>,
    /// The highest number above `last` on a token since the last refresh.
    shown: Mutex<Option<Shown>>,
    estimator: WaitEstimator,
    timeline: Mutex<Timeline>,
}

/// The part that only a refresh changes.
#[derive(Debug)]
struct SlowPart {
    vacant: VacantNumbers,
    forecast: Forecast,
    /// The highest number called at the time of the forecast; `None` before the first snapshot.
    serving: Option<u64>,
    reported: Reported,
}

/// The rest of the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reported {
    pub(super) called: u64,
    pub(super) active: u64,
    pub(super) incarnations: Incarnations,
    pub(super) adopts: bool,
    pub(super) recovers: bool,
    pub(super) may_join: bool,
    pub(super) generation: u64,
    pub(super) is_settled: bool,
    pub(super) outcomes: OutcomeCounts,
}

/// Before any valid time.
const NEVER: i64 = i64::MIN;

impl LocalView {
    pub(super) fn new(policy: &AdmissionPolicy) -> Self {
        let estimator = WaitEstimator::new(policy);
        Self {
            last: AtomicU64::new(0),
            serving: AtomicU64::new(0),
            refreshed: AtomicI64::new(NEVER),
            slow: RwLock::new(SlowPart {
                vacant: VacantNumbers::default(),
                forecast: estimator.prepare(&Occupancy::default(), None),
                serving: None,
                reported: Reported::default(),
            }),
            shown: Mutex::default(),
            estimator,
            timeline: Mutex::default(),
        }
    }

    /// The counters of the queue in this node's view.
    pub(super) fn counters(&self) -> QueueCounters {
        // `serving` first: marks only grow, so a later `last` is never below it.
        let serving = self.serving.load(Ordering::Acquire);
        QueueCounters::new(self.last.load(Ordering::Acquire), serving)
    }

    /// Raises the counters to those of a response.
    pub(super) fn note(&self, counters: QueueCounters) {
        self.last.fetch_max(counters.last(), Ordering::AcqRel);
        self.serving.fetch_max(counters.serving(), Ordering::AcqRel);
    }

    /// Keeps the number and incarnation of a token for the store, if it may not know them. A token
    /// is not a witness, so it has no other effect.
    pub(super) fn note_shown(&self, shown: Shown) {
        if shown.number.get() <= self.last.load(Ordering::Acquire) {
            return;
        }
        let mut highest = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if highest.is_none_or(|known| known.number < shown.number) {
            *highest = Some(shown);
        }
    }

    /// Takes the highest number of a token since the last call, unless the store must know it by
    /// now.
    pub(super) fn take_shown(&self) -> Option<Shown> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        shown.filter(|shown| shown.number.get() > self.last.load(Ordering::Acquire))
    }

    /// Adds an incarnation that the store has reported with a place.
    pub(super) fn note_incarnation(&self, incarnation: Incarnation) {
        let mut slow = self.slow.write().unwrap_or_else(PoisonError::into_inner);
        slow.reported.incarnations = slow.reported.incarnations.with(incarnation);
    }

    /// The age of the view at `now`; the maximum before the first refresh.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        match self.refreshed.load(Ordering::Acquire) {
            NEVER => Duration::MAX,
            then => Duration::from_millis(
                now.as_millisecond().saturating_sub(then).try_into().unwrap_or(0),
            ),
        }
    }

    /// When the last refresh began, by the node's own clock.
    pub(super) fn refreshed(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.refreshed.load(Ordering::Acquire)).ok()
    }

    /// The number of people waiting, for these counters.
    pub(super) fn people_waiting(&self, counters: QueueCounters) -> u64 {
        self.slow().vacant.people_waiting(counters)
    }

    /// The rest of the last snapshot.
    pub(super) fn reported(&self) -> Reported {
        self.slow().reported
    }

    /// Applies a snapshot requested at `requested_at`, by the node's own clock. Returns the waits
    /// of the people called since the last one.
    pub(super) fn learn(&self, snapshot: &Snapshot, requested_at: Timestamp) -> Vec<Wait> {
        self.note(snapshot.counters);
        self.refreshed.fetch_max(requested_at.as_millisecond(), Ordering::AcqRel);
        let vacant = self.slow().vacant.clone();
        let forecast = self.estimator.prepare(&snapshot.occupancy, None);
        let promised = promise(snapshot, &forecast);
        let waits = {
            let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
            timeline.observe(snapshot.counters, &vacant, requested_at, promised)
        };
        let Snapshot {
            called, active, outcomes, recovers, may_join, generation, is_settled, ..
        } = *snapshot;
        let Snapshot { incarnations, adopts, .. } = *snapshot;
        let reported = Reported {
            called,
            active,
            incarnations,
            adopts,
            recovers,
            may_join,
            generation,
            is_settled,
            outcomes,
        };
        let serving = Some(snapshot.counters.serving());
        let fresh = SlowPart { vacant: snapshot.vacant.clone(), forecast, serving, reported };
        let stale = std::mem::replace(
            &mut *self.slow.write().unwrap_or_else(PoisonError::into_inner),
            fresh,
        );
        // Freed after the lock is released.
        drop(stale);
        waits
    }

    /// Applies the vacant numbers and incarnations of a snapshot between two refreshes. The store
    /// issues numbers to a node once it has reported the skipped ones to it, so the positions of
    /// those numbers must account for them.
    pub(super) fn note_vacant(&self, snapshot: &Snapshot) {
        self.note(snapshot.counters);
        let fresh = snapshot.vacant.clone();
        let mut slow = self.slow.write().unwrap_or_else(PoisonError::into_inner);
        let stale = std::mem::replace(&mut slow.vacant, fresh);
        slow.reported.incarnations = slow.reported.incarnations.union(snapshot.incarnations);
        drop(slow);
        drop(stale);
    }

    /// The status of a number at these counters, from one snapshot so that its fields agree.
    pub(super) fn lookup(&self, shown: Shown, counters: QueueCounters) -> NumberStatus {
        let number = shown.number;
        let slow = self.slow();
        let is_known = slow.reported.incarnations.contains(shown.incarnation);
        let position = slow.vacant.position_of(number, counters);
        let (eta, limit) = slow.forecast.wait(position, slow.called_since(counters));
        NumberStatus {
            is_called: counters.has_called(number),
            has_left: slow.vacant.contains(number.get()) && !slow.vacant.is_in_range(number.get()),
            position,
            eta,
            limit: if slow.reported.recovers { WaitLimit::Recovery } else { limit },
            is_accepted: is_known || slow.reported.knows_too_little(),
            is_unproved: slow.reported.is_sure()
                && (!is_known
                    || number.get() > counters.last()
                    || slow.vacant.is_in_range(number.get())),
        }
    }

    fn slow(&self) -> RwLockReadGuard<'_, SlowPart> {
        self.slow.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reported {
    /// Whether an unknown incarnation may still be one of this queue.
    fn knows_too_little(&self) -> bool {
        self.incarnations.is_empty() || self.recovers || self.adopts
    }

    /// Whether the store was not in doubt, and accepts numbers from tokens.
    fn is_sure(&self) -> bool {
        !self.incarnations.is_empty() && !self.recovers
    }
}

impl SlowPart {
    /// The number of people called whose slots the forecast does not count. Before the first
    /// snapshot it counts none; of all people ever called, at most `max_active` hold a slot.
    fn called_since(&self, counters: QueueCounters) -> u64 {
        let Some(serving) = self.serving else {
            return counters.serving().min(self.forecast.max_active());
        };
        self.vacant.people_between(serving, counters.serving())
    }
}

/// The estimate for a person who joined just before this snapshot.
fn promise(snapshot: &Snapshot, forecast: &Forecast) -> Duration {
    let last = QueueNumber::new(snapshot.counters.last());
    last.map_or(Duration::ZERO, |last| {
        forecast.eta(snapshot.vacant.position_of(last, snapshot.counters))
    })
}
