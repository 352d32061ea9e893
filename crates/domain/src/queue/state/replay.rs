//! Replays: nodes restore the data that a store lost.

use std::collections::BTreeSet;

use super::QueueState;
use super::sessions::RunningSession;
use crate::queue::recovery::{Change, Memory};
use crate::queue::{PlaceStatus, QueueTime, UserId};

impl QueueState {
    /// Applies a node's entries, for the generation it names. Repeating it changes nothing. Its
    /// changes are logged, so that each node follows what the others knew. Returns false and does
    /// nothing if the store was lost again meanwhile.
    pub fn replay(&mut self, generation: u64, memories: &[Memory]) -> bool {
        if generation != self.generation {
            return false;
        }
        let now = self.time;
        if let Some(doubt) = &mut self.doubt {
            doubt.extend(now);
        }
        for memory in memories {
            match *memory {
                Memory::Holder { number, user } => self.restore_holder(number, user),
                Memory::Change(Change::Abandoned(number)) => self.restore_abandoned(number),
                Memory::Change(Change::Released(number)) => self.restore_released(number),
                Memory::Change(Change::Claimed { number, user, until }) => {
                    self.restore_session(number, user, until);
                }
                Memory::Change(Change::Skipped { from, to }) => self.restore_skipped(from, to),
                Memory::Change(Change::Found(number)) => _ = self.restore_found(number),
            }
        }
        true
    }

    fn restore_holder(&mut self, number: u64, user: UserId) {
        let is_free = self.owner(number).is_none() && self.may_be_anybodys(number);
        let stands = number <= self.counters.last() && self.state_of(number) != PlaceStatus::Gone;
        if !is_free || !stands {
            return;
        }
        self.adopt(number, user);
        // A user's places are successive, so the highest number is the one they hold.
        let held = self.held.entry(user).or_insert(number);
        *held = number.max(*held);
    }

    fn restore_abandoned(&mut self, number: u64) {
        if number <= self.counters.serving() {
            // It was called meanwhile.
            return self.restore_released(number);
        }
        self.restore_found(number);
        if number <= self.counters.last() && self.vacant.insert(number) {
            if let Some(user) = self.owner(number) {
                self.forget_holder(user, number);
            }
            self.log(Change::Abandoned(number));
        }
    }

    fn restore_released(&mut self, number: u64) {
        self.restore_found(number);
        let user = self.owner(number);
        // A node that missed the release may still replay the session, which ends by
        // then.
        self.sessions.bar(number, self.time + self.policy.session_ttl);
        let was_seated = self.sessions.end_session(number).is_some();
        let was_late = self.sessions.forget_late(number);
        let was_called = self.calls.use_up(number, self.time);
        if was_seated || was_late || was_called {
            if let Some(user) = user {
                self.forget_holder(user, number);
            }
            self.log(Change::Released(number));
        }
    }

    fn restore_session(&mut self, number: u64, user: UserId, until: QueueTime) {
        // The node may have admitted it since its last refresh, and counted its remaining time from
        // there.
        let until = until.min(self.time + self.policy.session_ttl);
        let is_theirs = self.owner(number).is_none_or(|owner| owner == user);
        let is_known = self.sessions.owner(number).is_some() || self.sessions.is_barred(number);
        let is_new = !is_known && !self.calls.is_used(number);
        if number > self.counters.serving() || until <= self.time || !is_theirs || !is_new {
            return;
        }
        self.restore_found(number);
        self.calls.use_up(number, self.time);
        let held = self.held.entry(user).or_insert(number);
        *held = number.max(*held);
        if self.has_room() {
            let since = until.before(self.policy.session_ttl);
            self.sessions.begin(number, RunningSession { user, since, ends: until });
            self.log(Change::Claimed { number, user, until });
        } else {
            // The node reports late and others have the slot by now, so this user is called next.
            self.sessions.add_late(number, user);
        }
    }

    /// Skips a range, except numbers that the store knows something about.
    fn restore_skipped(&mut self, from: u64, to: u64) {
        let to = to.min(self.counters.last());
        if from >= to {
            return;
        }
        let numbers = from + 1..=to;
        let users = self.users.range(numbers.clone()).map(|(number, _)| *number);
        let found = self.found.range(numbers.clone()).copied();
        let mut known: BTreeSet<u64> =
            users.chain(found).chain(self.sessions.numbers(numbers)).collect();
        known.retain(|number| !self.vacant.contains(*number));
        let vacant = self.vacant.count_up_to(to) - self.vacant.count_up_to(from);
        if vacant + known.len() as u64 == to - from {
            return;
        }
        self.vacant.insert_range(from, to);
        self.log(Change::Skipped { from, to });
        for number in known {
            self.restore_found(number);
        }
    }

    /// Removes a number whose holder turned up from the skipped ones; returns whether it was
    /// skipped.
    pub(super) fn restore_found(&mut self, number: u64) -> bool {
        let was_skipped = self.vacant.is_in_range(number) && self.vacant.remove(number);
        if was_skipped {
            self.found.insert(number);
            self.log(Change::Found(number));
        }
        was_skipped
    }
}
