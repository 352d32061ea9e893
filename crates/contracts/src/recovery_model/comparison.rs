//! Compares the store with the ledger, and follows the store until it is at rest.

use std::time::Duration;

use domain::queue::{PlaceStatus, Refused};

use super::action::StoreCall;
use super::ledger::Fate;
use super::rule::Rule;
use super::run_state::World;
use super::server::place;

impl World {
    pub(super) fn breaks(&mut self, rule: Rule) {
        self.broken.get_or_insert(rule);
    }

    /// Compares the store with the promises made to users.
    pub(super) fn judge(&mut self) {
        let snapshot = self.server.state.snapshot();
        if snapshot.active > self.scene.policy.max_active.into() {
            self.breaks(Rule::TooManyInside);
        }
        let ceiling = self.checkpoint.map_or(0, |known| known.ceiling);
        if self.scene.needs_checkpoint && snapshot.counters.last() > ceiling {
            self.breaks(Rule::BeyondReserve);
        }
        if snapshot.recovers {
            return;
        }
        let mut state = self.server.state.clone();
        let policy = self.scene.policy;
        let (claim_within, session_ttl) = (micros(policy.claim_within), micros(policy.session_ttl));
        let is_first = self.ledger.stores == 0;
        let mut broken = None;
        let (mut first_waiting, mut last_called) = (u64::MAX, 0);
        for entry in &mut self.ledger.entries {
            if !entry.is_known || entry.is_disputed {
                continue;
            }
            let number = entry.number.get();
            let stand = state.place_status(&place(entry.user, entry.shown()));
            match stand {
                Ok(PlaceStatus::Waiting) => first_waiting = first_waiting.min(number),
                Ok(PlaceStatus::Called { .. } | PlaceStatus::Active { .. }) => {
                    last_called = last_called.max(number);
                }
                Ok(PlaceStatus::Gone) | Err(_) => {}
            }
            match stand {
                Ok(PlaceStatus::Called { until }) if until.remaining > policy.claim_within => {
                    broken = broken.or(Some(Rule::CallTooLong));
                }
                Ok(PlaceStatus::Active { until }) if until.remaining > policy.session_ttl => {
                    broken = broken.or(Some(Rule::SessionTooLong));
                }
                Ok(_) | Err(_) => {}
            }
            let rule = match (entry.fate, stand) {
                (Fate::Left, Ok(_)) => Some(Rule::Undead),
                (Fate::Over, Ok(_)) => Some(Rule::StandsAgain),
                (Fate::Held, Err(Refused::NotHolder | Refused::NotFound)) => Some(Rule::PlaceLost),
                (Fate::Held, Ok(PlaceStatus::Called { .. })) => {
                    (is_first && entry.called_for > claim_within).then_some(Rule::CallTooLong)
                }
                (Fate::Held, Err(_)) => {
                    let is_over = entry.called_for >= claim_within;
                    if is_over {
                        (entry.fate, entry.nodes) = (Fate::Over, 0);
                    }
                    (!is_over).then_some(Rule::CallCut)
                }
                (Fate::Inside, Ok(PlaceStatus::Active { .. })) => {
                    (is_first && entry.ran > session_ttl).then_some(Rule::SessionTooLong)
                }
                (Fate::Inside, Err(Refused::NotHolder | Refused::NotFound))
                    if entry.ran < session_ttl =>
                {
                    Some(Rule::TwoInside)
                }
                (Fate::Inside, Err(_)) => {
                    let is_over = entry.ran >= session_ttl;
                    if is_over {
                        (entry.fate, entry.nodes) = (Fate::Over, 0);
                    }
                    (!is_over).then_some(Rule::SessionCut)
                }
                (Fate::Left | Fate::Over, Err(_)) | (Fate::Held | Fate::Inside, Ok(_)) => None,
            };
            broken = broken.or(rule);
        }
        if is_first && first_waiting < last_called {
            broken = broken.or(Some(Rule::OutOfOrder));
        }
        if let Some(rule) = broken {
            self.breaks(rule);
        }
    }

    /// Runs the queue without further faults or user actions, and returns the rule that it breaks,
    /// if any: all waiting people must be called, and in the end no slot may be taken.
    #[must_use]
    pub fn comes_to_rest(&self) -> Option<Rule> {
        const SECONDS: usize = 32;
        let mut world = self.clone();
        world.flight = None;
        if world.nodes.iter().all(Option::is_none) {
            world.start(0);
        }
        for _ in 0..SECONDS {
            world.pass(u8::MAX);
            if self.scene.needs_checkpoint {
                for node in 0..world.nodes.len() {
                    _ = world.call(node, StoreCall::Settle);
                }
            }
            let seen = world.server.state.snapshot();
            let is_over = seen.called == 0
                && seen.active == 0
                && seen.vacant.people_waiting(seen.counters) == 0;
            if is_over && !seen.recovers {
                return None;
            }
        }
        let seen = world.server.state.snapshot();
        let waits = seen.vacant.people_waiting(seen.counters) > 0;
        Some(if waits { Rule::StandsStill } else { Rule::SlotLeak })
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
