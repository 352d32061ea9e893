//! Joins: the next number for a user, or the one they hold.

use super::{QueueState, Visit};
use crate::queue::recovery::NodeRecord;
use crate::queue::{
    Expiry, Incarnation, PlaceStatus, QueueCounters, QueueNumber, QueueTime, Shown, UserId,
};

/// The most abandoned numbers not passed yet, so that repeated joining and leaving cannot fill the
/// memory.
const MOST_ABANDONED: u64 = 1_000_000;

/// The result of a join.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum JoinStep {
    /// The user holds this number.
    Holds {
        /// The number.
        number: QueueNumber,
        /// Whether they held it before.
        rejoined: bool,
        /// The status of the place.
        place_status: PlaceStatus,
        /// The incarnation that their token carries.
        incarnation: Incarnation,
    },
    /// The limit of waiting people, or of abandoned numbers, is reached.
    Full,
    /// The next number is above the ceiling.
    AboveCeiling,
    /// The store is in doubt, or this node may not issue numbers yet.
    NotReady,
    /// This node must refresh its view first: it does not know the numbers skipped last.
    ViewBehind,
}

impl QueueState {
    /// Finds the number the user holds, or issues the next one, then calls people. The number of
    /// the user's token, `presented`, is theirs too. Of two numbers the older counts, and the
    /// younger is released.
    pub fn join(
        &mut self,
        visit: &Visit,
        user: UserId,
        presented: Option<Shown>,
        ceiling: u64,
    ) -> JoinStep {
        presented.into_iter().for_each(|shown| self.note_shown(shown));
        let held = self.held_by(user);
        let presented = presented.filter(|shown| self.incarnations.contains(shown.incarnation));
        let presented = presented
            .map(|shown| shown.number.get())
            .filter(|number| self.is_held_by(user, *number));
        let place = match (held, presented) {
            (Some(one), Some(other)) if one != other => {
                Ok((self.keep_older(user, one, other), true))
            }
            (Some(number), _) | (None, Some(number)) => {
                self.adopt(number, user);
                Ok((number, true))
            }
            (None, None) => self.give_next(visit, user, ceiling).map(|number| (number, false)),
        };
        self.end_what_is_over();
        self.call_people(visit);
        let (number, rejoined) = match place {
            Ok(place) => place,
            Err(refused) => return refused,
        };
        let (Ok(number), Some(incarnation)) =
            (QueueNumber::new(number), self.incarnations.oldest())
        else {
            return JoinStep::NotReady;
        };
        JoinStep::Holds { number, rejoined, place_status: self.state_of(number.get()), incarnation }
    }

    fn give_next(&mut self, visit: &Visit, user: UserId, ceiling: u64) -> Result<u64, JoinStep> {
        let witness = &visit.witness;
        let may_give = |node: &NodeRecord| node.may_give(self.time, self.recovery);
        // If no data was lost, no node has anything to replay.
        let has_replayed = witness.replayed == self.generation || self.was_intact;
        let is_trusted = has_replayed && self.nodes.get(&witness.node).is_some_and(may_give);
        if !is_trusted || !self.is_open_for(witness) {
            return Err(JoinStep::NotReady);
        }
        // A new number's position excludes skipped numbers only on a node that knows them.
        if witness.version < self.skipped_at {
            return Err(JoinStep::ViewBehind);
        }
        let people = self.vacant.people_waiting(self.counters);
        if people >= u64::from(self.policy.max_waiting)
            || self.vacant.singles_len() >= MOST_ABANDONED
        {
            return Err(JoinStep::Full);
        }
        let number = self.counters.last() + 1;
        if number > ceiling.min(QueueNumber::MAX) {
            return Err(JoinStep::AboveCeiling);
        }
        self.counters = QueueCounters::new(number, self.counters.serving());
        self.outcomes.joined += 1;
        self.users.insert(number, user);
        self.held.insert(user, number);
        Ok(number)
    }

    /// The number this user holds, unless its place is over.
    pub(super) fn held_by(&self, user: UserId) -> Option<u64> {
        self.held.get(&user).copied().filter(|number| self.is_held_by(user, *number))
    }

    /// Whether this user still holds this place. If the holder is unknown, any user with a token
    /// for it does.
    fn is_held_by(&self, user: UserId, number: u64) -> bool {
        let is_theirs = match self.owner(number) {
            Some(owner) => owner == user,
            None => self.may_be_anybodys(number),
        };
        is_theirs && self.state_of(number) != PlaceStatus::Gone
    }

    /// Records the user as the holder of a number.
    pub(super) fn adopt(&mut self, number: u64, user: UserId) {
        if self.owner(number).is_none() {
            self.users.insert(number, user);
        }
        self.held.entry(user).or_insert(number);
        if self.restore_found(number) && self.counters.serving() >= number {
            self.sessions.add_late(number, user);
        }
    }

    /// The expiry of a call or session, as of now.
    pub(super) fn expiry(&self, at: QueueTime) -> Expiry {
        Expiry::new(at, self.time)
    }
}
