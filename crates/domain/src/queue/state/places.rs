//! One place: where it stands, claiming it, giving it up.

use super::QueueState;
use super::seats::Seat;
use crate::queue::recovery::Change;
use crate::queue::{Expiry, Place, Shown, Standing, UserId};

/// Why a step on a place did nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refused {
    /// The number was never given.
    NotFound,
    /// It is not called yet.
    NotYet,
    /// The call lapsed, the session ended, or the place was given up.
    Gone,
    /// It belongs to another user, or to a life of the queue that the store does not accept.
    NotHolder,
    /// The store may have lost what would tell: it is in doubt; or more calls stand again after a loss than
    /// there are slots, and all are taken.
    NotReady,
}

impl QueueState {
    /// Where a place stands.
    ///
    /// # Errors
    /// [`Refused`], never [`Refused::NotYet`].
    pub fn standing(&mut self, place: &Place) -> Result<Standing, Refused> {
        self.known(place)
    }

    /// Turns a call into a session, or finds the session it became. A user who holds another place
    /// keeps the older of the two, and the younger is given up: nobody has two slots.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then but that.
    pub fn claim(&mut self, place: &Place) -> Result<Expiry, Refused> {
        let number = place.number.get();
        let standing = self.known(place)?;
        let is_let_in = matches!(standing, Standing::Called { .. } | Standing::Active { .. });
        let other = self.held_by(place.user).filter(|held| *held != number);
        if let Some(other) = other
            && is_let_in
            && self.doubt.is_none()
            && self.keep_older(place.user, number, other) == other
        {
            return Err(Refused::Gone);
        }
        match standing {
            Standing::Waiting => Err(Refused::NotYet),
            Standing::Active { until } => Ok(until),
            Standing::Called { until } if self.doubt.is_none() && self.has_room() => {
                let since = until.at.before(self.policy.claim_within);
                let ends = self.time + self.policy.session_ttl;
                self.calls.use_up(number, self.time);
                self.adopt(number, place.user);
                self.seats.seat(number, Seat { user: place.user, since, ends });
                self.log(Change::Claimed { number, user: place.user, until: ends });
                self.tally.claimed += 1;
                Ok(self.expiry(ends))
            }
            Standing::Called { .. } => Err(Refused::NotReady),
            Standing::Gone => Err(Refused::Gone),
        }
    }

    /// Gives a place, call or session up; returns what it was.
    ///
    /// # Errors
    /// [`Refused`], never [`Refused::NotYet`]; nothing has changed then.
    pub fn leave(&mut self, place: &Place) -> Result<Standing, Refused> {
        let was = self.known(place)?;
        self.give_up(place.number.get(), place.user);
        self.tally.left += 1;
        Ok(was)
    }

    /// Gives up a place that its user holds.
    pub(super) fn give_up(&mut self, number: u64, user: UserId) {
        match self.state_of(number) {
            Standing::Waiting if number > self.line.serving() => {
                self.vacant.insert(number);
                self.log(Change::Abandoned(number));
            }
            Standing::Waiting => {
                self.seats.forget_late(number);
                self.log(Change::Released(number));
            }
            Standing::Called { until } => {
                let held = self.policy.claim_within.saturating_sub(until.at.since(self.time));
                self.turnover.note(held, 1, self.policy.max_active);
                self.seats.forget_late(number);
                self.calls.use_up(number, self.time);
                self.log(Change::Released(number));
            }
            Standing::Active { .. } => {
                if let Some(seat) = self.seats.unseat(number) {
                    self.turnover.note(self.time.since(seat.since), 1, self.policy.max_active);
                }
                self.calls.use_up(number, self.time);
                self.log(Change::Released(number));
            }
            Standing::Gone => {}
        }
        if number <= self.line.serving() {
            self.seats.bar(number, self.time + self.policy.session_ttl);
        }
        self.forget_holder(user, number);
    }

    /// Of two places of a user the older counts, and the younger is given up; returns the older.
    pub(super) fn keep_older(&mut self, user: UserId, one: u64, other: u64) -> u64 {
        let (older, younger) = (one.min(other), one.max(other));
        self.adopt(older, user);
        self.adopt(younger, user);
        self.give_up(younger, user);
        self.held.insert(user, older);
        older
    }

    /// Whether there is a slot for one more session. Calls that stand have one each, but for those that a recovery let
    /// stand again, not knowing which of them were over.
    pub(super) fn has_room(&self) -> bool {
        self.seats.running(self.time) < u64::from(self.policy.max_active)
    }

    /// Where the place stands, if it is its user's. A store in doubt says no to nobody: it may have lost what would say yes.
    fn known(&mut self, place: &Place) -> Result<Standing, Refused> {
        self.note_shown(Shown::from(place));
        let known = self.known_for_sure(place);
        match known {
            Err(Refused::NotFound | Refused::Gone | Refused::NotHolder) if self.doubt.is_some() => {
                Err(Refused::NotReady)
            }
            Ok(_) | Err(_) => known,
        }
    }

    fn known_for_sure(&mut self, place: &Place) -> Result<Standing, Refused> {
        let number = place.number.get();
        if self.incarnations.is_empty() {
            // A checkpoint which may remember them was not read yet.
            return Err(Refused::NotReady);
        }
        if !self.incarnations.contains(place.incarnation) {
            return Err(Refused::NotHolder);
        }
        if number > self.line.last() {
            return Err(if self.awaits_checkpoint { Refused::NotReady } else { Refused::NotFound });
        }
        let is_theirs = match self.owner(number) {
            Some(owner) => owner == place.user,
            None => self.may_be_anybodys(number),
        };
        if is_theirs && self.vacant.is_in_range(number) {
            self.adopt(number, place.user);
        }
        match self.state_of(number) {
            Standing::Gone => Err(Refused::Gone),
            _ if !is_theirs => Err(Refused::NotHolder),
            standing @ (Standing::Waiting | Standing::Called { .. } | Standing::Active { .. }) => {
                Ok(standing)
            }
        }
    }

    /// The user a number belongs to, as far as the store knows.
    pub(super) fn owner(&self, number: u64) -> Option<UserId> {
        self.seats.owner(number).or_else(|| self.users.get(&number).copied())
    }

    /// Whether a number was given, or may have been, to somebody whom the store does not know.
    pub(super) fn may_be_anybodys(&self, number: u64) -> bool {
        number <= self.unknown_up_to || self.vacant.is_in_range(number)
    }

    /// Where a number stands, whoever holds it.
    pub(super) fn state_of(&self, number: u64) -> Standing {
        if let Some(ends) = self.seats.session(number, self.time) {
            return Standing::Active { until: self.expiry(ends) };
        }
        if number > self.line.serving() {
            let is_abandoned = self.vacant.contains(number) && !self.vacant.is_in_range(number);
            return if is_abandoned { Standing::Gone } else { Standing::Waiting };
        }
        let recalled = self.seats.recall_of(number, self.time);
        if let Some(ends) = recalled.or_else(|| self.calls.end_of(number, self.time)) {
            return Standing::Called { until: self.expiry(ends) };
        }
        let is_passed = self.seats.is_late(number) || self.vacant.is_in_range(number);
        if is_passed { Standing::Waiting } else { Standing::Gone }
    }
}
