//! The state of a line and its steps, each under the caller's lock and at the caller's time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::Timestamp;
use domain::queue::{
    AdmissionPolicy, CallBudget, ClaimError, Departures, GiveBackError, JoinError, Joined, Line, Place,
    PolicySpec, QueueNumber, Session, Snapshot, Standing, Tally, UserId,
};

use super::slots::{Kind, Slot, Slots};

pub(super) struct MemoryLine {
    policy: PolicySpec,
    budget: CallBudget,
    line: Line,
    /// The number each user holds, from joining until the place is gone.
    holders: HashMap<UserId, QueueNumber>,
    /// Who waits, by number. A number that is in neither of these two is one the store was told of by a floor.
    waiting: BTreeMap<u64, UserId>,
    /// Numbers given back while waiting, above `serving`.
    departed: BTreeSet<u64>,
    /// The same as it was last reported; `None` once it has changed.
    reported: Option<Departures>,
    slots: Slots,
    tally: Tally,
}

/// What is known of a place's number and of the right of the place's user to it.
enum Known {
    NeverGiven,
    Waiting,
    In(Slot),
    Gone,
    NotHolder,
}

impl MemoryLine {
    pub(super) fn new(policy: AdmissionPolicy) -> Self {
        Self {
            policy: *policy.spec(),
            budget: CallBudget::new(&policy),
            line: Line::default(),
            holders: HashMap::new(),
            waiting: BTreeMap::new(),
            departed: BTreeSet::new(),
            reported: None,
            slots: Slots::default(),
            tally: Tally::default(),
        }
    }

    /// Whoever is passed by a higher `serving` was called by a store that is no more; of them at most `max_active` can
    /// still be in.
    pub(super) fn raise(&mut self, floor: Line, now: Timestamp) {
        let raised = self.line.raised_to(floor);
        let oldest = raised.serving().saturating_sub(u64::from(self.policy.max_active));
        for number in self.line.serving().max(oldest) + 1..=raised.serving() {
            if !self.departed.contains(&number) {
                let user = self.waiting.get(&number).copied();
                self.slots.call(number, user, now, self.policy.claim_within);
            }
        }
        if raised.serving() > self.line.serving() {
            let still_waiting = self.waiting.split_off(&(raised.serving() + 1));
            for (number, user) in std::mem::replace(&mut self.waiting, still_waiting) {
                if number <= oldest {
                    self.holders.remove(&user);
                }
            }
            self.departed = self.departed.split_off(&(raised.serving() + 1));
            self.reported = None;
        }
        self.line = raised;
    }

    pub(super) fn join(&mut self, user: UserId, ceiling: u64, now: Timestamp) -> Result<Joined, JoinError> {
        self.expire(now);
        let held = self.holders.get(&user).copied();
        let number = match held {
            Some(number) => number,
            None => self.give_next(user, ceiling)?,
        };
        self.call_next(now);
        let standing = match self.slots.get(number.get()) {
            Some(slot) => standing_of(slot),
            None => Standing::Waiting,
        };
        Ok(Joined { number, rejoined: held.is_some(), standing, line: self.line })
    }

    fn give_next(&mut self, user: UserId, ceiling: u64) -> Result<QueueNumber, JoinError> {
        let next = QueueNumber::new(self.line.last() + 1);
        let is_full = self.line.waiting() >= u64::from(self.policy.max_waiting);
        let (false, Ok(number)) = (is_full, next) else { return Err(JoinError::LineFull) };
        if number.get() > ceiling {
            return Err(JoinError::AboveCeiling);
        }
        self.line = Line::new(number.get(), self.line.serving());
        self.waiting.insert(number.get(), user);
        self.holders.insert(user, number);
        Ok(number)
    }

    /// Returns how many people were called.
    pub(super) fn call_next(&mut self, now: Timestamp) -> u64 {
        self.expire(now);
        let free = u64::from(self.policy.max_active).saturating_sub(self.slots.len() as u64);
        let allowed = u64::from(self.budget.available(now)).min(free);
        let (mut count, mut serving) = (0_u32, self.line.serving());
        while serving < self.line.last() {
            let next = serving + 1;
            if self.departed.remove(&next) {
                self.reported = None;
            } else {
                if u64::from(count) == allowed {
                    break;
                }
                let user = self.waiting.remove(&next);
                self.slots.call(next, user, now, self.policy.claim_within);
                count += 1;
            }
            serving = next;
        }
        self.budget.spend(count, now);
        self.line = Line::new(self.line.last(), serving);
        u64::from(count)
    }

    pub(super) fn snapshot(&mut self, now: Timestamp) -> Snapshot {
        self.expire(now);
        let active = self.slots.active() as u64;
        let departed = &self.departed;
        let departures = self
            .reported
            .get_or_insert_with(|| Departures::from_sorted(departed.iter().copied().collect()))
            .clone();
        Snapshot {
            line: self.line,
            departures,
            called: self.slots.len() as u64 - active,
            active,
            tally: self.tally,
            recovers: false,
            at: now,
        }
    }

    pub(super) fn standing(&mut self, place: &Place, now: Timestamp) -> Standing {
        self.expire(now);
        match self.known(place) {
            Known::NeverGiven | Known::Waiting => Standing::Waiting,
            Known::In(slot) => standing_of(slot),
            Known::Gone | Known::NotHolder => Standing::Gone,
        }
    }

    pub(super) fn claim(&mut self, place: &Place, now: Timestamp) -> Result<Session, ClaimError> {
        self.expire(now);
        let number = place.number;
        let slot = match self.known(place) {
            Known::In(slot) => slot,
            Known::NeverGiven => return Err(ClaimError::NotFound),
            Known::Waiting => return Err(ClaimError::NotYet),
            Known::Gone => return Err(ClaimError::Gone),
            Known::NotHolder => return Err(ClaimError::NotHolder),
        };
        let until = match slot.kind {
            Kind::Active => slot.until,
            Kind::Called => {
                self.holders.entry(place.user).or_insert(number);
                self.tally.claimed += 1;
                self.slots.activate(number.get(), place.user, now, self.policy.session_ttl)
            }
        };
        Ok(Session { number, user: place.user, until })
    }

    pub(super) fn give_back(&mut self, place: &Place, now: Timestamp) -> Result<(), GiveBackError> {
        self.expire(now);
        match self.known(place) {
            Known::NeverGiven => return Err(GiveBackError::NotFound),
            Known::Gone => return Err(GiveBackError::Gone),
            Known::NotHolder => return Err(GiveBackError::NotHolder),
            Known::Waiting => {
                self.waiting.remove(&place.number.get());
                self.departed.insert(place.number.get());
                self.reported = None;
            }
            Known::In(_) => {
                self.slots.remove(place.number.get());
            }
        }
        self.tally.left += 1;
        forget_holder(&mut self.holders, place.user, place.number);
        Ok(())
    }

    fn known(&self, place: &Place) -> Known {
        let number = place.number.get();
        let holder = if !self.line.has_called(place.number) {
            if number > self.line.last() {
                return Known::NeverGiven;
            }
            if self.departed.contains(&number) {
                return Known::Gone;
            }
            self.waiting.get(&number).copied()
        } else if let Some(slot) = self.slots.get(number) {
            slot.user
        } else {
            return Known::Gone;
        };
        if holder.is_some_and(|holder| holder != place.user) {
            return Known::NotHolder;
        }
        self.slots.get(number).map_or(Known::Waiting, Known::In)
    }

    fn expire(&mut self, now: Timestamp) {
        let (holders, tally) = (&mut self.holders, &mut self.tally);
        self.slots.expire(now, |number, slot| {
            match slot.kind {
                Kind::Called => tally.lapsed += 1,
                Kind::Active => tally.ended += 1,
            }
            if let (Some(user), Ok(number)) = (slot.user, QueueNumber::new(number)) {
                forget_holder(holders, user, number);
            }
        });
    }
}

/// Forgets that the user holds this number, unless they hold another one by now.
fn forget_holder(holders: &mut HashMap<UserId, QueueNumber>, user: UserId, number: QueueNumber) {
    if holders.get(&user) == Some(&number) {
        holders.remove(&user);
    }
}

fn standing_of(slot: Slot) -> Standing {
    match slot.kind {
        Kind::Called => Standing::Called { until: slot.until },
        Kind::Active => Standing::Active { until: slot.until },
    }
}
