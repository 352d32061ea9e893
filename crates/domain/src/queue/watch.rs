//! A node's view of its line: what every "where am I?" is answered from.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::timeline::Timeline;
use super::{
    AdmissionPolicy, Forecast, Incarnation, Incarnations, Line, Occupancy, Position, QueueNumber,
    Shown, Snapshot, Tally, VacantNumbers, Wait, WaitEstimator, WaitLimit,
};
use crate::Timestamp;

/// What a node sees of one number in one look at the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// Whether it has been called.
    pub(super) is_called: bool,
    /// Whether it was given back while waiting, as of the last refresh.
    pub(super) has_left: bool,
    /// People ahead plus one; 0 once called.
    pub(super) position: Position,
    /// Estimated time until the call.
    pub(super) eta: Duration,
    /// What makes it as long as it is.
    pub(super) limit: WaitLimit,
    /// Whether a token of its life is accepted: the queue knows that life, or may yet come to know
    /// of it.
    pub(super) is_accepted: bool,
    /// Whether the store may know more of its holder than this node, who has not turned up there
    /// yet.
    pub(super) is_unproved: bool,
}

/// The highest marks this node has seen, and the rest of the last snapshot. The marks move with every answer that
/// carries them; the rest once a refresh.
#[derive(Debug)]
pub(super) struct Watch {
    last: AtomicU64,
    serving: AtomicU64,
    /// When the last refresh was begun, by the node's own clock, in milliseconds since the epoch.
    refreshed: AtomicI64,
    slow: RwLock<SlowPart>,
    /// The highest number above `last` that a token has shown since the last refresh.
    shown: Mutex<Option<Shown>>,
    estimator: WaitEstimator,
    timeline: Mutex<Timeline>,
}

/// What only a refresh changes.
#[derive(Debug)]
struct SlowPart {
    vacant: VacantNumbers,
    forecast: Forecast,
    /// The highest number called as of the forecast; `None` before the first snapshot.
    serving: Option<u64>,
    reported: Reported,
}

/// The rest of what the last snapshot reported.
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
    pub(super) tally: Tally,
}

/// Before any time there is.
const NEVER: i64 = i64::MIN;

impl Watch {
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

    /// The line as far as this node has seen it.
    pub(super) fn line(&self) -> Line {
        // `serving` first: marks only grow, so a later `last` is never below it.
        let serving = self.serving.load(Ordering::Acquire);
        Line::new(self.last.load(Ordering::Acquire), serving)
    }

    /// Believes a line somebody has seen.
    pub(super) fn note(&self, line: Line) {
        self.last.fetch_max(line.last(), Ordering::AcqRel);
        self.serving.fetch_max(line.serving(), Ordering::AcqRel);
    }

    /// Keeps what a token shows for the store, where that may not know of it. A token is no
    /// witness, so nothing else follows from it.
    pub(super) fn note_shown(&self, shown: Shown) {
        if shown.number.get() <= self.last.load(Ordering::Acquire) {
            return;
        }
        let mut highest = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if highest.is_none_or(|known| known.number < shown.number) {
            *highest = Some(shown);
        }
    }

    /// What tokens have shown since this was asked last, as far as the store may not know of it.
    pub(super) fn take_shown(&self) -> Option<Shown> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        shown.filter(|shown| shown.number.get() > self.last.load(Ordering::Acquire))
    }

    /// Believes a life of the queue that the store has told of with a place.
    pub(super) fn note_incarnation(&self, incarnation: Incarnation) {
        let mut slow = self.slow.write().unwrap_or_else(PoisonError::into_inner);
        slow.reported.incarnations = slow.reported.incarnations.with(incarnation);
    }

    /// How old the view is at `now`; for ever before the first refresh.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        match self.refreshed.load(Ordering::Acquire) {
            NEVER => Duration::MAX,
            then => Duration::from_millis(
                now.as_millisecond().saturating_sub(then).try_into().unwrap_or(0),
            ),
        }
    }

    /// When the last refresh was begun, by the node's own clock.
    pub(super) fn refreshed(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.refreshed.load(Ordering::Acquire)).ok()
    }

    /// How many people wait in this line.
    pub(super) fn people_waiting(&self, line: Line) -> u64 {
        self.slow().vacant.people_waiting(line)
    }

    /// What the last snapshot reported.
    pub(super) fn reported(&self) -> Reported {
        self.slow().reported
    }

    /// Takes in a snapshot that was asked for at `asked_at`, by the node's own clock. Returns how long those waited who were
    /// called since the last one.
    pub(super) fn learn(&self, snapshot: &Snapshot, asked_at: Timestamp) -> Vec<Wait> {
        self.note(snapshot.line);
        self.refreshed.fetch_max(asked_at.as_millisecond(), Ordering::AcqRel);
        let vacant = self.slow().vacant.clone();
        let forecast = self.estimator.prepare(&snapshot.occupancy, None);
        let promised = promise(snapshot, &forecast);
        let waits = {
            let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
            timeline.observe(snapshot.line, &vacant, asked_at, promised)
        };
        let Snapshot { called, active, tally, recovers, may_join, generation, is_settled, .. } =
            *snapshot;
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
            tally,
        };
        let serving = Some(snapshot.line.serving());
        let fresh = SlowPart { vacant: snapshot.vacant.clone(), forecast, serving, reported };
        let stale = std::mem::replace(
            &mut *self.slow.write().unwrap_or_else(PoisonError::into_inner),
            fresh,
        );
        // Freed here, where nobody waits for the lock.
        drop(stale);
        waits
    }

    /// Takes in which numbers are nobody's and which lives the queue has, as of a snapshot between
    /// two refreshes. The store gives
    /// numbers to a node that it has told which are skipped, so their positions must count on that.
    pub(super) fn note_vacant(&self, snapshot: &Snapshot) {
        self.note(snapshot.line);
        let fresh = snapshot.vacant.clone();
        let mut slow = self.slow.write().unwrap_or_else(PoisonError::into_inner);
        let stale = std::mem::replace(&mut slow.vacant, fresh);
        slow.reported.incarnations = slow.reported.incarnations.union(snapshot.incarnations);
        drop(slow);
        drop(stale);
    }

    /// What is seen of a number at this state of the line: one look, so that its parts agree.
    pub(super) fn look(&self, shown: Shown, line: Line) -> Sight {
        let number = shown.number;
        let slow = self.slow();
        let is_known = slow.reported.incarnations.contains(shown.incarnation);
        let position = slow.vacant.position_of(number, line);
        let (eta, limit) = slow.forecast.wait(position, slow.called_since(line));
        Sight {
            is_called: line.has_called(number),
            has_left: slow.vacant.contains(number.get()) && !slow.vacant.is_in_range(number.get()),
            position,
            eta,
            limit: if slow.reported.recovers { WaitLimit::Recovery } else { limit },
            is_accepted: is_known || slow.reported.knows_too_little(),
            is_unproved: slow.reported.is_sure()
                && (!is_known
                    || number.get() > line.last()
                    || slow.vacant.is_in_range(number.get())),
        }
    }

    fn slow(&self) -> RwLockReadGuard<'_, SlowPart> {
        self.slow.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reported {
    /// Whether a life that is not reported may be one of this queue all the same.
    fn knows_too_little(&self) -> bool {
        self.incarnations.is_empty() || self.recovers || self.adopts
    }

    /// Whether the store was in no doubt, and takes in what tokens show.
    fn is_sure(&self) -> bool {
        !self.incarnations.is_empty() && !self.recovers
    }
}

impl SlowPart {
    /// How many people were called whose slots the forecast does not count. Before the first
    /// snapshot it counts nobody's; of all who were ever called, no more than there are slots hold
    /// one.
    fn called_since(&self, line: Line) -> u64 {
        let Some(serving) = self.serving else {
            return line.serving().min(self.forecast.max_active());
        };
        self.vacant.people_between(serving, line.serving())
    }
}

/// What somebody who had joined just before this snapshot would be told.
fn promise(snapshot: &Snapshot, forecast: &Forecast) -> Duration {
    let last = QueueNumber::new(snapshot.line.last());
    last.map_or(Duration::ZERO, |last| {
        forecast.eta(snapshot.vacant.position_of(last, snapshot.line))
    })
}
