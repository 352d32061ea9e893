//! How long people wait for their call, estimated from one snapshot of the slots.
//!
//! Two limits hold people back: the rate of the policy, and the cap on slots. The cap is what a
//! long wait is made of, so the estimate follows the slots one by one: which are free, when the
//! others come free, and how long the next person holds each of them. A node adds nothing of its
//! own to the snapshot. All nodes with the same snapshot give the same estimate, a node that has
//! just started included.

use std::time::Duration;

use super::{AdmissionPolicy, Position};

/// How the slots are used, as a store reports it with a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Occupancy {
    /// When running sessions end at the latest: the time left until then, and how many sessions
    /// have ended by then. Both ascend. At most [`MAX_STEPS`](Self::MAX_STEPS) steps; the last one
    /// counts all sessions.
    pub ends: Vec<(Duration, u64)>,
    /// Calls that stand and are not claimed yet. Each holds a slot.
    pub open_calls: u64,
    /// How many slots came free of late: a sum that fades exponentially. With a half-life below the
    /// length of a session, slots that are held long are missing from it.
    pub freed: f64,
    /// For how many seconds those slots had been held, from call to release: a sum that fades
    /// likewise.
    pub held_seconds: f64,
}

impl Occupancy {
    /// Steps of [`ends`](Self::ends) that an estimate tells apart; it takes further ones for the
    /// last.
    pub const MAX_STEPS: usize = 16;
}

/// Estimates waits under one policy.
#[derive(Clone, Copy, Debug)]
pub struct WaitEstimator {
    /// Calls a second, at most.
    rate: f64,
    max_active: u64,
    /// Seconds that a slot is held at most.
    longest_hold: f64,
    /// Seconds that a session lasts at most.
    session: f64,
}

/// When people are called, as of one snapshot: a small table, so that an estimate costs a binary
/// search.
#[derive(Clone, Debug)]
pub struct Forecast {
    rate: f64,
    max_active: u64,
    /// Seconds until anybody is called.
    pause: f64,
    /// Seconds that the next person is expected to hold a slot.
    hold: f64,
    /// Slots that are in use. After a change of policy these may be more than `max_active`.
    occupied: u64,
    /// The releases of those slots in their order: so many steps of sessions, then the open calls.
    releases: [Release; Occupancy::MAX_STEPS + 1],
    steps: usize,
}

/// What makes a wait as long as it is. An estimate rises only when this is not the rate.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WaitLimit {
    /// The rate of the policy: no estimate is below it.
    Rate,
    /// The cap on slots, and how long people hold them. It rises when they stay for longer than
    /// before.
    Slots,
    /// A store that may have lost something calls nobody for a moment.
    Recovery,
}

/// When a group of slots comes free.
#[derive(Clone, Copy, Debug, Default)]
struct Release {
    /// Seconds until it must.
    latest: f64,
    /// Seconds until it does if the slots are held for the mean hold. Not above 0 once that is
    /// over.
    expected: f64,
    /// Seconds until it does at the latest if the slots are held for longer than the mean.
    overdue: f64,
    /// Slots that have come free by then, those of earlier groups included.
    slots: u64,
}

/// With so many observations weighs the assumption that everybody stays for a whole session. A few:
/// it must give way to evidence soon, but not to the first person who leaves at once.
const PRIOR_WEIGHT: f64 = 2.0;

/// Which share of a mean hold somebody is expected to stay who has stayed for about that long
/// already; it shrinks with the time left. In simulated sales, whether all leave at once or at any
/// time, a third keeps estimates near the front within a factor of two or within a third of the
/// mean hold.
const OVERDUE_SHARE: f64 = 1.0 / 3.0;

impl WaitEstimator {
    /// An estimator for a queue under this policy.
    #[must_use]
    pub fn new(policy: &AdmissionPolicy) -> Self {
        let spec = policy.spec();
        Self {
            rate: policy.fastest_rate(),
            max_active: u64::from(spec.max_active),
            longest_hold: (spec.claim_within + spec.session_ttl).as_secs_f64(),
            session: spec.session_ttl.as_secs_f64(),
        }
    }

    /// The wait of the person at `position`; see [`Forecast::eta`]. For more than one position
    /// prepare the forecast once.
    #[must_use]
    pub fn estimate(
        &self,
        position: Position,
        occupancy: &Occupancy,
        paused: Option<Duration>,
    ) -> Duration {
        self.prepare(occupancy, paused).eta(position)
    }

    /// The forecast from a snapshot, for all positions. `paused` is how much longer calling is
    /// paused.
    #[must_use]
    pub fn prepare(&self, occupancy: &Occupancy, paused: Option<Duration>) -> Forecast {
        let hold = self.mean_hold(occupancy);
        let sessions = occupancy.ends.last().map_or(0, |(_, sessions)| *sessions);
        let mut forecast = Forecast {
            rate: self.rate,
            max_active: self.max_active,
            pause: paused.unwrap_or_default().as_secs_f64(),
            hold,
            occupied: sessions.saturating_add(occupancy.open_calls),
            releases: [Release::default(); Occupancy::MAX_STEPS + 1],
            steps: 0,
        };
        for (left, slots) in &occupancy.ends {
            forecast.steps = (forecast.steps + 1).min(Occupancy::MAX_STEPS);
            forecast.releases[forecast.steps - 1] = self.release(left.as_secs_f64(), hold, *slots);
        }
        // An open call is a hold that begins now. It may lapse sooner, or be claimed late and end
        // later.
        let calls =
            Release { latest: hold, expected: hold, overdue: 0.0, slots: forecast.occupied };
        forecast.releases[forecast.steps] = calls;
        forecast
    }

    /// When sessions come free that end in `left` seconds at the latest.
    fn release(&self, left: f64, hold: f64, slots: u64) -> Release {
        // A session that is longer than the policy's is of an earlier policy, and has just begun
        // under this.
        let latest = left.min(self.session);
        Release {
            latest,
            expected: hold - self.age(left),
            overdue: OVERDUE_SHARE * hold * latest / self.session,
            slots,
        }
    }

    fn age(&self, left: f64) -> f64 {
        (self.session - left).max(0.0)
    }

    /// Seconds that the next person is expected to hold a slot: a whole session until there is
    /// evidence of something else.
    ///
    /// Early in a sale only those who leave soon have left, and their mean says little of the
    /// others. So people inside who have stayed for longer than it count too, for what they have
    /// stayed beyond it. That cannot make a session longer than it lasts; late claims can make a
    /// hold longer.
    fn mean_hold(&self, occupancy: &Occupancy) -> f64 {
        let Occupancy { freed, held_seconds, .. } = *occupancy;
        if !(freed > 0.0 && freed.is_finite()) {
            return self.session;
        }
        let of_released = (held_seconds / freed).min(self.longest_hold).max(0.0);
        let weight = PRIOR_WEIGHT + freed;
        let blended = self.session + (of_released - self.session) * freed / weight;
        let beyond = self.seconds_beyond(of_released, occupancy) / weight;
        (blended + beyond).min(blended.max(self.session))
    }

    /// Seconds that all people inside together have stayed beyond `mean` seconds each.
    fn seconds_beyond(&self, mean: f64, occupancy: &Occupancy) -> f64 {
        let mut counted = 0;
        let mut seconds = 0.0;
        for (left, sessions) in &occupancy.ends {
            let people = sessions.saturating_sub(counted) as f64;
            seconds += people * (self.age(left.as_secs_f64()) - mean).max(0.0);
            counted = *sessions;
        }
        seconds
    }
}

impl Forecast {
    /// How long the person at `position` waits for their call; zero once called. It grows with the
    /// position. It is never below what the rate allows, nor above what happens if everybody holds
    /// their slot for as long as they may.
    #[must_use]
    pub fn eta(&self, position: Position) -> Duration {
        self.wait(position, 0).0
    }

    /// The same wait, and whether the rate or the slots make it as long as it is. `called_since`
    /// people ahead of this position were called after the snapshot: each has one of the slots that
    /// were free in it, or the first to come free.
    #[must_use]
    pub fn wait(&self, position: Position, called_since: u64) -> (Duration, WaitLimit) {
        let Some(behind) = position.get().checked_sub(1) else {
            return (Duration::ZERO, WaitLimit::Rate);
        };
        let by_rate = self.pause + position.get() as f64 / self.rate;
        let ahead = behind.saturating_add(called_since);
        // Each slot serves its next person, then after a hold another one, and so on.
        let (wave, nth) = (ahead / self.max_active, ahead % self.max_active + 1);
        let by_slots = self.free_after(nth).max(self.pause) + wave as f64 * self.hold;
        let limit = if by_slots > by_rate { WaitLimit::Slots } else { WaitLimit::Rate };
        (Duration::try_from_secs_f64(by_rate.max(by_slots)).unwrap_or(Duration::MAX), limit)
    }

    /// How long the next person called is expected to hold a slot. An estimate that rises without a
    /// pause does so because this has risen: people stay for longer than before.
    #[must_use]
    pub fn slot_hold(&self) -> Duration {
        Duration::try_from_secs_f64(self.hold).unwrap_or(Duration::MAX)
    }

    /// How many people may be inside.
    #[must_use]
    pub fn max_active(&self) -> u64 {
        self.max_active
    }

    /// Seconds until the `nth` slot is free, from 1 to `max_active`.
    fn free_after(&self, nth: u64) -> f64 {
        let nth_release = nth.saturating_add(self.occupied).saturating_sub(self.max_active);
        if nth_release == 0 {
            return 0.0;
        }
        // One that is in no step of sessions is an open call's.
        let group =
            self.releases[..self.steps].partition_point(|release| release.slots < nth_release);
        let release = self.releases[group];
        // All slots together come free at one rate (Little's law), overdue ones too.
        let in_turn = nth_release as f64 * self.hold / self.max_active as f64;
        release.latest.min(release.expected.max(release.overdue.min(in_turn)))
    }
}

#[cfg(test)]
mod tests;
