//! A single place: its status, its claim and its release.

use super::QueueState;
use super::sessions::RunningSession;
use crate::queue::recovery::Change;
use crate::queue::{Expiry, PlaceStatus, Shown, TokenClaims, UserId};

/// The reason a step on a place did nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Refused {
    /// The number was never issued.
    NotFound,
    /// It is not called yet.
    NotYet,
    /// The call lapsed, the session ended, or the place was released.
    Gone,
    /// It belongs to another user, or to an incarnation that the store does not accept.
    NotHolder,
    /// The store is in doubt and may have lost the place; or a loss reopened more calls than there
    /// are slots, and all slots are taken.
    NotReady,
}

impl QueueState {
    /// The status of a place.
    ///
    /// # Errors
    /// [`Refused`], never [`Refused::NotYet`].
    pub fn place_status(&mut self, place: &TokenClaims) -> Result<PlaceStatus, Refused> {
        self.known(place)
    }

    /// Turns a call into a session, or finds the session it became. A user who holds another place
    /// keeps the older of the two, and the younger is released, so no user has two slots.
    ///
    /// # Errors
    /// [`Refused`]; then nothing else has changed.
    pub fn claim(&mut self, place: &TokenClaims) -> Result<Expiry, Refused> {
        let number = place.number.get();
        let place_status = self.known(place)?;
        let is_let_in =
            matches!(place_status, PlaceStatus::Called { .. } | PlaceStatus::Active { .. });
        let other = self.held_by(place.user).filter(|held| *held != number);
        if let Some(other) = other
            && is_let_in
            && self.doubt.is_none()
            && self.keep_older(place.user, number, other) == other
        {
            return Err(Refused::Gone);
        }
        match place_status {
            PlaceStatus::Waiting => Err(Refused::NotYet),
            PlaceStatus::Active { until } => Ok(until),
            PlaceStatus::Called { until } if self.doubt.is_none() && self.has_room() => {
                let since = until.at.before(self.policy.claim_within);
                let ends = self.time + self.policy.session_ttl;
                self.calls.use_up(number, self.time);
                self.adopt(number, place.user);
                self.sessions.begin(number, RunningSession { user: place.user, since, ends });
                self.log(Change::Claimed { number, user: place.user, until: ends });
                self.outcomes.claimed += 1;
                Ok(self.expiry(ends))
            }
            PlaceStatus::Called { .. } => Err(Refused::NotReady),
            PlaceStatus::Gone => Err(Refused::Gone),
        }
    }

    /// Releases a place, call or session; returns its former status.
    ///
    /// # Errors
    /// [`Refused`], never [`Refused::NotYet`]; then nothing has changed.
    pub fn leave(&mut self, place: &TokenClaims) -> Result<PlaceStatus, Refused> {
        let was = self.known(place)?;
        self.give_up(place.number.get(), place.user);
        self.outcomes.left += 1;
        Ok(was)
    }

    /// Releases a place that its user holds.
    pub(super) fn give_up(&mut self, number: u64, user: UserId) {
        match self.state_of(number) {
            PlaceStatus::Waiting if number > self.counters.serving() => {
                self.vacant.insert(number);
                self.log(Change::Abandoned(number));
            }
            PlaceStatus::Waiting => {
                self.sessions.forget_late(number);
                self.log(Change::Released(number));
            }
            PlaceStatus::Called { until } => {
                let held = self.policy.claim_within.saturating_sub(until.at.since(self.time));
                self.turnover.note(held, 1, self.policy.max_active);
                self.sessions.forget_late(number);
                self.calls.use_up(number, self.time);
                self.log(Change::Released(number));
            }
            PlaceStatus::Active { .. } => {
                if let Some(session) = self.sessions.end_session(number) {
                    self.turnover.note(self.time.since(session.since), 1, self.policy.max_active);
                }
                self.calls.use_up(number, self.time);
                self.log(Change::Released(number));
            }
            PlaceStatus::Gone => {}
        }
        if number <= self.counters.serving() {
            self.sessions.bar(number, self.time + self.policy.session_ttl);
        }
        self.forget_holder(user, number);
    }

    /// Keeps the older of a user's two places and releases the younger; returns the older.
    pub(super) fn keep_older(&mut self, user: UserId, one: u64, other: u64) -> u64 {
        let (older, younger) = (one.min(other), one.max(other));
        self.adopt(older, user);
        self.adopt(younger, user);
        self.give_up(younger, user);
        self.held.insert(user, older);
        older
    }

    /// Whether there is a slot for one more session. Open calls hold slots of their own, except
    /// those reopened by a recovery, some of which may have been over.
    pub(super) fn has_room(&self) -> bool {
        self.sessions.running(self.time) < u64::from(self.policy.max_active)
    }

    /// The status of the place, if it is its user's. A store in doubt rejects no place, because it
    /// may have lost the data that proves it.
    fn known(&mut self, place: &TokenClaims) -> Result<PlaceStatus, Refused> {
        self.note_shown(Shown::from(place));
        let known = self.known_for_sure(place);
        match known {
            Err(Refused::NotFound | Refused::Gone | Refused::NotHolder) if self.doubt.is_some() => {
                Err(Refused::NotReady)
            }
            Ok(_) | Err(_) => known,
        }
    }

    fn known_for_sure(&mut self, place: &TokenClaims) -> Result<PlaceStatus, Refused> {
        let number = place.number.get();
        if self.incarnations.is_empty() {
            // The checkpoint that may contain them is not read yet.
            return Err(Refused::NotReady);
        }
        if !self.incarnations.contains(place.incarnation) {
            return Err(Refused::NotHolder);
        }
        if number > self.counters.last() {
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
            PlaceStatus::Gone => Err(Refused::Gone),
            _ if !is_theirs => Err(Refused::NotHolder),
            place_status @ (PlaceStatus::Waiting
            | PlaceStatus::Called { .. }
            | PlaceStatus::Active { .. }) => Ok(place_status),
        }
    }

    /// The holder of a number, as far as the store knows.
    pub(super) fn owner(&self, number: u64) -> Option<UserId> {
        self.sessions.owner(number).or_else(|| self.users.get(&number).copied())
    }

    /// Whether a number was, or may have been, issued to a user unknown to the store.
    pub(super) fn may_be_anybodys(&self, number: u64) -> bool {
        number <= self.unknown_up_to || self.vacant.is_in_range(number)
    }

    /// The status of a number, regardless of its holder.
    pub(super) fn state_of(&self, number: u64) -> PlaceStatus {
        if let Some(ends) = self.sessions.session(number, self.time) {
            return PlaceStatus::Active { until: self.expiry(ends) };
        }
        if number > self.counters.serving() {
            let is_abandoned = self.vacant.contains(number) && !self.vacant.is_in_range(number);
            return if is_abandoned { PlaceStatus::Gone } else { PlaceStatus::Waiting };
        }
        let recalled = self.sessions.recall_of(number, self.time);
        if let Some(ends) = recalled.or_else(|| self.calls.end_of(number, self.time)) {
            return PlaceStatus::Called { until: self.expiry(ends) };
        }
        let is_passed = self.sessions.is_late(number) || self.vacant.is_in_range(number);
        if is_passed { PlaceStatus::Waiting } else { PlaceStatus::Gone }
    }
}
