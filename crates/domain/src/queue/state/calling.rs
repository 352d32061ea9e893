//! Calls people, and ends calls and sessions that are over.

use super::{QueueState, Visit};
use crate::queue::{QueueCounters, UserId};

/// The most calls and sessions that one step ends; later steps end the rest. A slot that is not
/// freed yet counts as taken.
const MOST_ENDED: u64 = 2_500;

impl QueueState {
    /// Refreshes a node's view and calls people; returns how many.
    pub fn tick(&mut self, visit: &Visit) -> u64 {
        self.register(visit.witness.node);
        self.end_what_is_over();
        self.call_people(visit)
    }

    /// Refreshes a node's view without calling.
    pub fn refresh(&mut self, visit: &Visit) {
        self.register(visit.witness.node);
        self.end_what_is_over();
    }

    /// Calls the people that budget and slots allow; returns how many. Ended calls and sessions
    /// must be freed before.
    pub(super) fn call_people(&mut self, visit: &Visit) -> u64 {
        let nobody_waits = self.counters.waiting() == 0 && self.sessions.late() == 0;
        if nobody_waits || !self.is_open_for(&visit.witness) || self.waits_for_tokens() {
            return 0;
        }
        let inside =
            self.calls.open() + self.sessions.recalled() + self.sessions.running(self.time);
        let free = u64::from(self.policy.max_active).saturating_sub(inside);
        let allowed = u64::from(self.budget.available(self.time)).min(free);
        let ends = self.time + self.policy.claim_within;
        let mut called = 0;
        while called < allowed && self.sessions.recall_first(ends) {
            called += 1;
        }
        while called < allowed && self.counters.waiting() > 0 {
            let next = self.counters.serving() + 1;
            let passed = self.vacant.end_of_range(next).unwrap_or(next);
            if !self.vacant.contains(next) {
                self.calls.add(next, ends);
                called += 1;
            }
            self.counters = QueueCounters::new(self.counters.last(), passed);
        }
        self.vacant.forget_singles_up_to(self.counters.serving());
        self.budget.spend(called, self.time);
        called
    }

    /// Ends lapsed calls and ended sessions, up to the limit of a step.
    pub(super) fn end_what_is_over(&mut self) {
        let mut max = MOST_ENDED;
        while max > 0
            && let Some(lapsed) = self.calls.take_lapsed(self.time, max)
        {
            max -= lapsed.to - lapsed.from;
            for number in lapsed.from + 1..=lapsed.to {
                self.end_call(number);
            }
        }
        while max > 0
            && let Some((number, user)) = self.sessions.take_lapsed_recall(self.time)
        {
            max -= 1;
            self.note_lapse();
            self.forget_holder(user, number);
        }
        while max > 0
            && let Some((number, session)) = self.sessions.take_ended(self.time)
        {
            max -= 1;
            self.outcomes.ended += 1;
            self.turnover.note(session.ends.since(session.since), 1, self.policy.max_active);
            self.forget_holder(session.user, number);
        }
        while max > 0 && self.sessions.forget_given_back(self.time) {
            max -= 1;
        }
    }

    fn end_call(&mut self, number: u64) {
        if !self.calls.forget_used(number) {
            self.note_lapse();
        }
        if let Some(user) = self.users.remove(&number)
            && !self.sessions.is_seated(number)
        {
            self.forget_holder(user, number);
        }
    }

    /// Drops calls that are already over, without counting or logging them.
    pub(super) fn forget_calls_up_to(&mut self, mark: u64) {
        while let Some(over) = self.calls.take_up_to(mark) {
            for number in over.from + 1..=over.to {
                self.calls.forget_used(number);
                if let Some(user) = self.users.get(&number).copied()
                    && !self.sessions.is_seated(number)
                {
                    self.forget_holder(user, number);
                }
            }
        }
    }

    fn note_lapse(&mut self) {
        self.outcomes.lapsed += 1;
        self.turnover.note(self.policy.claim_within, 1, self.policy.max_active);
    }

    /// Removes the user's hold on this number, unless they hold another one by now.
    pub(super) fn forget_holder(&mut self, user: UserId, number: u64) {
        self.users.remove(&number);
        if self.held.get(&user) == Some(&number) {
            self.held.remove(&user);
        }
    }
}
