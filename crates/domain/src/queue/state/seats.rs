//! Who is inside, and who was passed over and turned up late.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::queue::{QueueTime, UserId};

/// A session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Seat {
    pub(super) user: UserId,
    /// Since when the slot is taken: from the call on.
    pub(super) since: QueueTime,
    pub(super) ends: QueueTime,
}

/// Sessions by number, and holders of skipped numbers that the queue had passed when they turned up.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Seats {
    sessions: BTreeMap<u64, Seat>,
    ends: BTreeSet<(QueueTime, u64)>,
    /// They are called before anybody else.
    late: BTreeMap<u64, UserId>,
    /// Late ones whose call stands, until when.
    recalled: BTreeMap<u64, (UserId, QueueTime)>,
    /// Numbers that were given back, until no session they may have had can run.
    given_back: BTreeMap<u64, QueueTime>,
    /// The same by their ends.
    given_back_ends: BTreeSet<(QueueTime, u64)>,
}

/// Steps of the distribution of ends in a snapshot.
const STEPS: usize = 16;

impl Seats {
    /// Sessions that run at `now`.
    pub(super) fn running(&self, now: QueueTime) -> u64 {
        (self.ends.len() - self.ends.range(..=(now, u64::MAX)).count()) as u64
    }

    /// Late ones whose call stands.
    pub(super) fn recalled(&self) -> u64 {
        self.recalled.len() as u64
    }

    /// How long sessions last from `now` on at most: time left and sessions that end by then, ascending.
    pub(super) fn ends(&self, now: QueueTime) -> Vec<(Duration, u64)> {
        let running = usize::try_from(self.running(now)).unwrap_or(usize::MAX);
        let steps = running.min(STEPS);
        let ranks = (1..=steps).map(|step| running * step / steps);
        // No number is as high.
        let mut left = self.ends.range((now, u64::MAX)..);
        let mut taken = 0;
        ranks
            .filter_map(|rank| {
                let (at, _) = left.nth(rank - taken - 1)?;
                taken = rank;
                Some((at.since(now), rank as u64))
            })
            .collect()
    }

    /// The user of a session, or of a late number.
    pub(super) fn owner(&self, number: u64) -> Option<UserId> {
        let session = self.sessions.get(&number).map(|seat| seat.user);
        let late = || self.late.get(&number).copied();
        session.or_else(late).or_else(|| self.recalled.get(&number).map(|(user, _)| *user))
    }

    /// Those of these numbers that have a session or turned up late.
    pub(super) fn numbers(&self, within: RangeInclusive<u64>) -> impl Iterator<Item = u64> + '_ {
        let sessions = self.sessions.range(within.clone()).map(|(number, _)| *number);
        let late = self.late.range(within.clone()).map(|(number, _)| *number);
        sessions.chain(late).chain(self.recalled.range(within).map(|(number, _)| *number))
    }

    /// All that have a session or turned up late, with their users.
    pub(super) fn users(&self) -> impl Iterator<Item = (u64, UserId)> + '_ {
        self.numbers(0..=u64::MAX).filter_map(|number| Some((number, self.owner(number)?)))
    }

    /// The end of a session that runs at `now`.
    pub(super) fn session(&self, number: u64, now: QueueTime) -> Option<QueueTime> {
        self.sessions.get(&number).map(|seat| seat.ends).filter(|ends| *ends > now)
    }

    /// Sessions that run at `now`: the number, whose it is, and when it ends.
    pub(super) fn sessions(
        &self,
        now: QueueTime,
    ) -> impl Iterator<Item = (u64, UserId, QueueTime)> + '_ {
        let running = move |(number, seat): (&u64, &Seat)| {
            Some((*number, seat.user, self.session(*number, now)?))
        };
        self.sessions.iter().filter_map(running)
    }

    /// Whether there is a session, over or not.
    pub(super) fn is_seated(&self, number: u64) -> bool {
        self.sessions.contains_key(&number)
    }

    pub(super) fn seat(&mut self, number: u64, seat: Seat) {
        self.recalled.remove(&number);
        self.ends.insert((seat.ends, number));
        self.sessions.insert(number, seat);
    }

    pub(super) fn unseat(&mut self, number: u64) -> Option<Seat> {
        let seat = self.sessions.remove(&number)?;
        self.ends.remove(&(seat.ends, number));
        Some(seat)
    }

    /// Keeps any replay from bringing a session of this number back that ends by `until`.
    pub(super) fn bar(&mut self, number: u64, until: QueueTime) {
        if let Some(before) = self.given_back.insert(number, until) {
            self.given_back_ends.remove(&(before, number));
        }
        self.given_back_ends.insert((until, number));
    }

    /// Numbers that were given back, of which a session might run still.
    pub(super) fn barred(&self) -> impl Iterator<Item = u64> + '_ {
        self.given_back.keys().copied()
    }

    /// Whether this number was given back, and a session of it might run still.
    pub(super) fn is_barred(&self, number: u64) -> bool {
        self.given_back.contains_key(&number)
    }

    /// Forgets one number that was given back, of which no session can run at `now`; whether there was one.
    pub(super) fn forget_given_back(&mut self, now: QueueTime) -> bool {
        let Some((ends, number)) =
            self.given_back_ends.first().copied().filter(|(ends, _)| *ends <= now)
        else {
            return false;
        };
        self.given_back_ends.remove(&(ends, number));
        self.given_back.remove(&number);
        true
    }

    /// Takes out one session that is over at `now`.
    pub(super) fn take_ended(&mut self, now: QueueTime) -> Option<(u64, Seat)> {
        let number = self.ends.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)?;
        self.unseat(number).map(|seat| (number, seat))
    }

    pub(super) fn add_late(&mut self, number: u64, user: UserId) {
        self.late.insert(number, user);
    }

    pub(super) fn is_late(&self, number: u64) -> bool {
        self.late.contains_key(&number)
    }

    pub(super) fn late(&self) -> u64 {
        self.late.len() as u64
    }

    /// Calls the first of the late ones.
    pub(super) fn recall_first(&mut self, ends: QueueTime) -> bool {
        let Some((number, user)) = self.late.pop_first() else { return false };
        self.recalled.insert(number, (user, ends));
        true
    }

    /// When the call of a late number ends, if it stands at `now`.
    pub(super) fn recall_of(&self, number: u64, now: QueueTime) -> Option<QueueTime> {
        self.recalled.get(&number).map(|(_, ends)| *ends).filter(|ends| *ends > now)
    }

    /// Forgets a late number; whether it was one.
    pub(super) fn forget_late(&mut self, number: u64) -> bool {
        self.late.remove(&number).is_some() | self.recalled.remove(&number).is_some()
    }

    /// Takes out one late number whose call has lapsed by `now`.
    pub(super) fn take_lapsed_recall(&mut self, now: QueueTime) -> Option<(u64, UserId)> {
        let lapsed = self.recalled.iter().find(|(_, (_, ends))| *ends <= now);
        let (number, user) = lapsed.map(|(number, (user, _))| (*number, *user))?;
        self.recalled.remove(&number);
        Some((number, user))
    }
}
