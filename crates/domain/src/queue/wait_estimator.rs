//! Wait estimates from one snapshot of the slots.
//!
//! Two limits hold people back: the rate of the policy, and the cap on slots. Long waits come from
//! the cap, so the estimate follows the slots one by one: which are free, when the others are
//! released, and how long the next person holds each of them. It depends on the snapshot alone, so
//! all nodes with the same snapshot compute the same estimate, even a node that has just started.

use std::time::Duration;

use super::{AdmissionPolicy, Position};

/// The use of the slots, as a store reports it with a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Occupancy {
    /// The latest ends of the running sessions: the time left until then, and the number of
    /// sessions that end by then. Both ascend. At most [`MAX_STEPS`](Self::MAX_STEPS) steps; the
    /// last one counts all sessions.
    pub ends: Vec<(Duration, u64)>,
    /// Calls that are open: not claimed and not lapsed. Each holds a slot.
    pub open_calls: u64,
    /// The number of slots released recently, as an exponentially decaying sum. If its half-life is
    /// below the length of a session, long holds are missing from it.
    pub freed: f64,
    /// The seconds those slots were held, from call to release, as a sum with the same decay.
    pub held_seconds: f64,
}

impl Occupancy {
    /// The number of steps of [`ends`](Self::ends) an estimate uses; it merges further ones into
    /// the last.
    pub const MAX_STEPS: usize = 16;
}

/// Estimates waits under a policy.
#[derive(Clone, Copy, Debug)]
pub struct WaitEstimator {
    /// Calls per second, at most.
    rate: f64,
    max_active: u64,
    /// The longest time a slot is held, in seconds.
    longest_hold: f64,
    /// The longest time a session lasts, in seconds.
    session: f64,
}

/// When people are called, from one snapshot. It is a small table, so an estimate costs one binary
/// search.
#[derive(Clone, Debug)]
pub struct Forecast {
    rate: f64,
    max_active: u64,
    /// Seconds until calling resumes.
    pause: f64,
    /// The expected seconds that the next person holds a slot.
    hold: f64,
    /// Slots in use. After a change of policy these may be more than `max_active`.
    occupied: u64,
    /// The releases of those slots in order: `steps` groups of sessions, then the open calls.
    releases: [Release; Occupancy::MAX_STEPS + 1],
    steps: usize,
}

/// The limit that determines a wait. An estimate rises only while this is not [`Rate`](Self::Rate).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WaitLimit {
    /// The rate of the policy: no estimate is below it.
    Rate,
    /// The cap on slots, and the time people hold them. The estimate rises if they stay longer than
    /// before.
    Slots,
    /// The store may have lost data and pauses calling.
    Recovery,
}

/// The release of a group of slots.
#[derive(Clone, Copy, Debug, Default)]
struct Release {
    /// Seconds until the slots must be released.
    latest: f64,
    /// Seconds until their release if they are held for the mean hold. Not above 0 once that is
    /// over.
    expected: f64,
    /// Seconds until their release, at most, if they are held for longer than the mean.
    overdue: f64,
    /// The slots released by then, including those of earlier groups.
    slots: u64,
}

/// The weight, in observations, of the assumption that people stay for a whole session. It is
/// small: evidence must soon outweigh it, but not the first person who leaves at once.
const PRIOR_WEIGHT: f64 = 2.0;

/// The share of a mean hold that a person is expected to stay after having stayed for about the
/// mean; it shrinks with the time left. In simulated sales, whether people all leave at once or at
/// any time, a third keeps estimates near the front within a factor of two or within a third of the
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

    /// The wait of the person at `position`; see [`Forecast::eta`]. For more than one position,
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

    /// The forecast from a snapshot, for all positions. `paused` is the remaining pause of calling.
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
        // An open call counts as a hold that begins now. It may lapse sooner, or be claimed late
        // and end later.
        let calls =
            Release { latest: hold, expected: hold, overdue: 0.0, slots: forecast.occupied };
        forecast.releases[forecast.steps] = calls;
        forecast
    }

    /// The release of sessions that end in at most `left` seconds.
    fn release(&self, left: f64, hold: f64, slots: u64) -> Release {
        // A session longer than the policy's dates from an earlier policy, and counts as just
        // begun.
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

    /// The expected seconds that the next person holds a slot: a whole session until there is
    /// evidence.
    ///
    /// Early in a sale, the only sessions released are short ones, and their mean says little about
    /// the others. So people inside who have stayed longer than that mean also count, by their time
    /// beyond it. This cannot make a session longer than it lasts; late claims can make a hold
    /// longer.
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

    /// The total seconds that the people inside have stayed beyond `mean` each.
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
    /// The wait of the person at `position`; zero once called. It grows with the position. It is
    /// never below the time the rate needs, and never above the time it takes if everyone holds
    /// their slot for as long as allowed.
    #[must_use]
    pub fn eta(&self, position: Position) -> Duration {
        self.wait(position, 0).0
    }

    /// The same wait, and the limit that determines it. `called_since` people ahead of this
    /// position were called after the snapshot: each has one of the slots that were free in it, or
    /// the next one released.
    #[must_use]
    pub fn wait(&self, position: Position, called_since: u64) -> (Duration, WaitLimit) {
        let Some(behind) = position.get().checked_sub(1) else {
            return (Duration::ZERO, WaitLimit::Rate);
        };
        let by_rate = self.pause + position.get() as f64 / self.rate;
        let ahead = behind.saturating_add(called_since);
        // Each slot serves its next person, then another one after each hold.
        let (wave, nth) = (ahead / self.max_active, ahead % self.max_active + 1);
        let by_slots = self.free_after(nth).max(self.pause) + wave as f64 * self.hold;
        let limit = if by_slots > by_rate { WaitLimit::Slots } else { WaitLimit::Rate };
        (Duration::try_from_secs_f64(by_rate.max(by_slots)).unwrap_or(Duration::MAX), limit)
    }

    /// The expected time that the next person called holds a slot. If an estimate rises without a
    /// pause, this has risen: people stay longer than before.
    #[must_use]
    pub fn slot_hold(&self) -> Duration {
        Duration::try_from_secs_f64(self.hold).unwrap_or(Duration::MAX)
    }

    /// The most people that may be inside.
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
        // A release beyond all steps of sessions is an open call's.
        let group =
            self.releases[..self.steps].partition_point(|release| release.slots < nth_release);
        let release = self.releases[group];
        // Slots are released at one common rate (Little's law), overdue ones too.
        let in_turn = nth_release as f64 * self.hold / self.max_active as f64;
        release.latest.min(release.expected.max(release.overdue.min(in_turn)))
    }
}

#[cfg(test)]
mod tests;
