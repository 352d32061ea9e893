//! Sessions, and late holders of skipped numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::queue::{QueueTime, UserId};

/// A session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct RunningSession {
    pub(super) user: UserId,
    /// When the slot was taken, by the call.
    pub(super) since: QueueTime,
    pub(super) ends: QueueTime,
}

/// Sessions by number, and late holders: those of skipped numbers that turned up after the queue
/// had passed their number.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Sessions {
    sessions: BTreeMap<u64, RunningSession>,
    ends: BTreeSet<(QueueTime, u64)>,
    /// Late holders, who are called first.
    late: BTreeMap<u64, UserId>,
    /// Late holders with an open call, and its end.
    recalled: BTreeMap<u64, (UserId, QueueTime)>,
    /// Released numbers, kept until no session of theirs can run.
    released: BTreeMap<u64, QueueTime>,
    /// The same, by time.
    given_back_ends: BTreeSet<(QueueTime, u64)>,
}

/// The steps of the distribution of ends in a snapshot.
const STEPS: usize = 16;

impl Sessions {
    /// The number of sessions running at `now`.
    pub(super) fn running(&self, now: QueueTime) -> u64 {
        (self.ends.len() - self.ends.range(..=(now, u64::MAX)).count()) as u64
    }

    /// How many late holders have an open call.
    pub(super) fn recalled(&self) -> u64 {
        self.recalled.len() as u64
    }

    /// The distribution of the sessions' ends: time left from `now` and number of sessions that end
    /// by then, ascending.
    pub(super) fn ends(&self, now: QueueTime) -> Vec<(Duration, u64)> {
        let running = usize::try_from(self.running(now)).unwrap_or(usize::MAX);
        let steps = running.min(STEPS);
        let ranks = (1..=steps).map(|step| running * step / steps);
        // No number is this high.
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
        let session = self.sessions.get(&number).map(|session| session.user);
        let late = || self.late.get(&number).copied();
        session.or_else(late).or_else(|| self.recalled.get(&number).map(|(user, _)| *user))
    }

    /// The numbers in this range that have a session or a late holder.
    pub(super) fn numbers(&self, within: RangeInclusive<u64>) -> impl Iterator<Item = u64> + '_ {
        let sessions = self.sessions.range(within.clone()).map(|(number, _)| *number);
        let late = self.late.range(within.clone()).map(|(number, _)| *number);
        sessions.chain(late).chain(self.recalled.range(within).map(|(number, _)| *number))
    }

    /// All numbers with a session or a late holder, with their users.
    pub(super) fn users(&self) -> impl Iterator<Item = (u64, UserId)> + '_ {
        self.numbers(0..=u64::MAX).filter_map(|number| Some((number, self.owner(number)?)))
    }

    /// The end of a session, if it runs at `now`.
    pub(super) fn session(&self, number: u64, now: QueueTime) -> Option<QueueTime> {
        self.sessions.get(&number).map(|session| session.ends).filter(|ends| *ends > now)
    }

    /// Sessions running at `now`: the number, the user, and the end.
    pub(super) fn sessions(
        &self,
        now: QueueTime,
    ) -> impl Iterator<Item = (u64, UserId, QueueTime)> + '_ {
        let running = move |(number, session): (&u64, &RunningSession)| {
            Some((*number, session.user, self.session(*number, now)?))
        };
        self.sessions.iter().filter_map(running)
    }

    /// Whether the number has a session, over or not.
    pub(super) fn is_seated(&self, number: u64) -> bool {
        self.sessions.contains_key(&number)
    }

    pub(super) fn begin(&mut self, number: u64, session: RunningSession) {
        self.recalled.remove(&number);
        self.ends.insert((session.ends, number));
        self.sessions.insert(number, session);
    }

    pub(super) fn end_session(&mut self, number: u64) -> Option<RunningSession> {
        let session = self.sessions.remove(&number)?;
        self.ends.remove(&(session.ends, number));
        Some(session)
    }

    /// Prevents a replay from restoring a session of this number that ends by `until`.
    pub(super) fn bar(&mut self, number: u64, until: QueueTime) {
        if let Some(before) = self.released.insert(number, until) {
            self.given_back_ends.remove(&(before, number));
        }
        self.given_back_ends.insert((until, number));
    }

    /// Released numbers whose session might still run.
    pub(super) fn barred(&self) -> impl Iterator<Item = u64> + '_ {
        self.released.keys().copied()
    }

    /// Whether this number was released and its session might still run.
    pub(super) fn is_barred(&self, number: u64) -> bool {
        self.released.contains_key(&number)
    }

    /// Removes one released number whose session cannot run at `now`; returns whether there was
    /// one.
    pub(super) fn forget_given_back(&mut self, now: QueueTime) -> bool {
        let Some((ends, number)) =
            self.given_back_ends.first().copied().filter(|(ends, _)| *ends <= now)
        else {
            return false;
        };
        self.given_back_ends.remove(&(ends, number));
        self.released.remove(&number);
        true
    }

    /// Removes one session that is over at `now`.
    pub(super) fn take_ended(&mut self, now: QueueTime) -> Option<(u64, RunningSession)> {
        let number = self.ends.first().filter(|(at, _)| *at <= now).map(|(_, number)| *number)?;
        self.end_session(number).map(|session| (number, session))
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

    /// Calls the first late holder.
    pub(super) fn recall_first(&mut self, ends: QueueTime) -> bool {
        let Some((number, user)) = self.late.pop_first() else { return false };
        self.recalled.insert(number, (user, ends));
        true
    }

    /// The end of the call of a late number, if it is open at `now`.
    pub(super) fn recall_of(&self, number: u64, now: QueueTime) -> Option<QueueTime> {
        self.recalled.get(&number).map(|(_, ends)| *ends).filter(|ends| *ends > now)
    }

    /// Removes a late number; returns whether it was one.
    pub(super) fn forget_late(&mut self, number: u64) -> bool {
        self.late.remove(&number).is_some() | self.recalled.remove(&number).is_some()
    }

    /// Removes one late number whose call has lapsed by `now`.
    pub(super) fn take_lapsed_recall(&mut self, now: QueueTime) -> Option<(u64, UserId)> {
        let lapsed = self.recalled.iter().find(|(_, (_, ends))| *ends <= now);
        let (number, user) = lapsed.map(|(number, (user, _))| (*number, *user))?;
        self.recalled.remove(&number);
        Some((number, user))
    }
}
