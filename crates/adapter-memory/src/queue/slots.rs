//! Who is in: calls that stand and sessions that run, each with its end.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use domain::Timestamp;
use domain::queue::UserId;

/// A call or a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Whose it is; `None` while nobody is known to hold the number.
    pub(super) user: Option<UserId>,
    pub(super) kind: Kind,
    pub(super) until: Timestamp,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Called,
    Active,
}

/// Calls and sessions by number. Ends are kept in two first-in-first-out lists, which are in order because every call
/// stands equally long and every session lasts equally long; an entry whose slot has changed since is passed over.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_number: HashMap<u64, Slot>,
    call_ends: VecDeque<(Timestamp, u64)>,
    session_ends: VecDeque<(Timestamp, u64)>,
    active: usize,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn active(&self) -> usize {
        self.active
    }

    pub(super) fn get(&self, number: u64) -> Option<Slot> {
        self.by_number.get(&number).copied()
    }

    /// Notes a call that stands for `length` from `now` on.
    pub(super) fn call(&mut self, number: u64, user: Option<UserId>, now: Timestamp, length: Duration) {
        let until = end(now, length);
        self.by_number.insert(number, Slot { user, kind: Kind::Called, until });
        self.call_ends.push_back((until, number));
    }

    /// Turns the call into a session of `length` from `now` on, and returns its end.
    pub(super) fn activate(
        &mut self,
        number: u64,
        user: UserId,
        now: Timestamp,
        length: Duration,
    ) -> Timestamp {
        let until = end(now, length);
        self.by_number.insert(number, Slot { user: Some(user), kind: Kind::Active, until });
        self.session_ends.push_back((until, number));
        self.active += 1;
        until
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Slot> {
        let slot = self.by_number.remove(&number)?;
        if slot.kind == Kind::Active {
            self.active -= 1;
        }
        Some(slot)
    }

    /// Removes what has ended by `now` and hands each removed slot with its number to `ended`.
    pub(super) fn expire(&mut self, now: Timestamp, mut ended: impl FnMut(u64, Slot)) {
        for kind in [Kind::Called, Kind::Active] {
            while let Some(number) = self.pop_ended(kind, now) {
                let is_current = |slot: Slot| slot.kind == kind && slot.until <= now;
                if self.get(number).is_some_and(is_current)
                    && let Some(slot) = self.remove(number)
                {
                    ended(number, slot);
                }
            }
        }
    }

    fn pop_ended(&mut self, kind: Kind, now: Timestamp) -> Option<u64> {
        let ends = match kind {
            Kind::Called => &mut self.call_ends,
            Kind::Active => &mut self.session_ends,
        };
        ends.pop_front_if(|(until, _)| *until <= now).map(|(_, number)| number)
    }
}

fn end(now: Timestamp, length: Duration) -> Timestamp {
    now.saturating_add(length).unwrap_or(Timestamp::MAX)
}
