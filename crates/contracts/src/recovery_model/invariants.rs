//! The effects of an executed request on the ledger, and the rules that it can break.

use domain::queue::{Change, Expiry, JoinStep, Memory, PlaceStatus, QueueNumber, Shown, UserId};

use super::action::INTRUDER;
use super::comparison::micros;
use super::ledger::{Entry, Fate, spent};
use super::rule::Rule;
use super::run_state::World;
use super::server::{Node, Reply, Request};

impl World {
    pub(super) fn note_executed(&mut self, id: u8, request: &Request, reply: &Reply) {
        match (request, reply) {
            (
                Request::Join { user, shown, .. },
                Reply::Join {
                    step: JoinStep::Holds { number, rejoined, place_status, incarnation },
                    ..
                },
            ) => {
                let given = Shown { incarnation: *incarnation, number: *number };
                self.note_joined(id, *user, shown.is_some(), given, *rejoined, *place_status);
            }
            (Request::Claim { user, shown }, _) if user.get() == INTRUDER => {
                self.note_intruder(*shown, reply);
            }
            (
                Request::Claim { user, shown },
                Reply::Place { state: Ok(PlaceStatus::Active { until }), .. },
            ) => {
                self.note_admission(*user, *shown, *until);
            }
            (Request::Leave { user, shown }, Reply::Place { state: Ok(_), .. }) => {
                if let Some(entry) = self.ledger.entry(*user, shown.number) {
                    entry.become_known(Fate::Left);
                }
            }
            (Request::Replay { memories, .. }, Reply::Replay { is_current: true }) => {
                self.note_replayed(id, memories);
            }
            _ => {}
        }
    }

    pub(super) fn note_replayed(&mut self, id: u8, memories: &[Memory]) {
        let (server, policy) = (&self.server, self.scene.policy);
        let is_full = server.state.snapshot().active >= policy.max_active.into();
        let mut broken = None;
        self.ledger.note_replayed(id, |entry| {
            let is_inside =
                matches!(server.stand(entry.user, entry.shown()), Ok(PlaceStatus::Active { .. }));
            if entry.fate == Fate::Inside && !entry.is_disputed && !is_inside {
                if is_full {
                    // Other users have taken the slots, so the place is called again.
                    entry.begin_again(Fate::Held);
                } else if entry.ran < micros(policy.session_ttl) {
                    broken = Some(Rule::SessionCut);
                }
            }
        });
        for memory in memories {
            // Each node computes the remaining time of a session from when it finds the new store,
            // so a node that comes later makes the session last longer.
            if let Memory::Change(Change::Claimed { number, .. }) = memory {
                // A node that was silent for longer than a session does not know how much time has
                // passed.
                for entry in &mut self.ledger.entries {
                    let is_long_ago = entry.ran >= micros(policy.session_ttl);
                    if entry.number.get() == *number && entry.fate == Fate::Left && is_long_ago {
                        entry.is_disputed = true;
                    }
                }
                let over = self.ledger.entries.iter_mut();
                let over = over.filter(|entry| {
                    entry.number.get() == *number && matches!(entry.fate, Fate::Over | Fate::Held)
                });
                for entry in over {
                    match server.stand(entry.user, entry.shown()) {
                        Ok(PlaceStatus::Active { .. }) => entry.begin_again(Fate::Inside),
                        Ok(_) if is_full => entry.begin_again(Fate::Held),
                        Ok(_) | Err(_) => {}
                    }
                }
            }
        }
        if let Some(rule) = broken {
            self.breaks(rule);
        }
    }

    fn note_joined(
        &mut self,
        id: u8,
        user: UserId,
        shows: bool,
        given: Shown,
        rejoined: bool,
        place_status: PlaceStatus,
    ) {
        let number = given.number;
        if !rejoined {
            let holds = self.ledger.entries.iter().any(|entry| {
                let is_held = matches!(entry.fate, Fate::Held | Fate::Inside);
                let is_theirs = entry.user == user && entry.number != number;
                let is_known = entry.is_known || entry.is_to_be_replayed_by(id);
                let is_promised = entry.is_acknowledged && is_known && !entry.is_disputed;
                is_theirs
                    && is_held
                    && is_promised
                    && self.server.stand(user, entry.shown()).is_ok()
            });
            if holds {
                self.breaks(Rule::UserTwice);
            }
        }
        let others = |entry: &&Entry| entry.number == number && entry.user != user;
        if self.ledger.entries.iter().any(|entry| others(&entry)) {
            let was_disputed =
                self.ledger.entries.iter().filter(others).any(|entry| entry.is_disputed);
            if !was_disputed && !self.may_repeat(number) {
                self.breaks(Rule::NumberTwice);
            }
            let all = self.ledger.entries.iter_mut().filter(|entry| entry.number == number);
            all.for_each(|entry| entry.is_disputed = true);
        }
        let was = self
            .ledger
            .entry(user, number)
            .map(|entry| (entry.fate, entry.is_known, entry.is_disputed));
        match was {
            Some((Fate::Left, true, false)) => self.breaks(Rule::Undead),
            Some((Fate::Over, true, false)) => self.breaks(Rule::StandsAgain),
            _ => {}
        }
        let is_disputed =
            self.ledger.entries.iter().any(|entry| entry.number == number && entry.is_disputed);
        self.ledger.give(user, given, place_status, &self.scene.policy).is_disputed |= is_disputed;
        if shows {
            // The younger of two places ended.
            let server = &self.server;
            let given_up = self.ledger.entries.iter_mut().filter(|entry| {
                let is_held = matches!(entry.fate, Fate::Held | Fate::Inside);
                entry.user == user && entry.number > number && is_held
            });
            for entry in given_up {
                if server.stand(user, entry.shown()).is_err() {
                    entry.become_known(Fate::Left);
                }
            }
        }
    }

    /// Whether no witness could have prevented this number from being given again.
    fn may_repeat(&self, number: QueueNumber) -> bool {
        let ledger = &self.ledger;
        if ledger.received.last() >= number.get() {
            return false;
        }
        let ceiling = self.checkpoint.map_or(0, |known| known.ceiling);
        if self.scene.needs_checkpoint && number.get() <= ceiling {
            return false;
        }
        let began = ledger.began.unwrap_or_default();
        let waited = self.server.state.marks().time.since(began);
        let remembers = |node: &Node| node.replica.witness().counters.last() >= number.get();
        waited >= self.scene.recovery || !self.nodes.iter().flatten().any(remembers)
    }

    /// A rehearsal token is valid only if the store has adopted its incarnation. From then on other
    /// users can hold its numbers too.
    fn note_intruder(&mut self, shown: Shown, reply: &Reply) {
        let is_adopted = self.server.state.incarnations().contains(shown.incarnation);
        if is_adopted {
            let same = self.ledger.entries.iter_mut().filter(|entry| entry.number == shown.number);
            same.for_each(|entry| entry.is_disputed = true);
        } else if matches!(reply, Reply::Place { state: Ok(_), .. }) {
            self.breaks(Rule::OldLifeEnters);
        }
    }

    fn note_admission(&mut self, user: UserId, shown: Shown, until: Expiry) {
        let (server, number) = (&self.server, shown.number);
        let is_other = |entry: &Entry| {
            let runs = u128::from(entry.ran) < self.scene.policy.session_ttl.as_micros();
            entry.number == number
                && entry.user != user
                && entry.fate == Fate::Inside
                && runs
                && entry.is_known
        };
        let two = self.ledger.entries.iter().any(is_other);
        let is_really = matches!(server.stand(user, shown), Ok(PlaceStatus::Active { .. }));
        let was = self
            .ledger
            .entry(user, number)
            .map(|entry| (entry.fate, entry.is_known, entry.is_disputed));
        if two || !is_really {
            self.breaks(Rule::TwoInside);
        }
        match was {
            Some((Fate::Left, true, false)) => self.breaks(Rule::Undead),
            Some((Fate::Over, true, false)) => self.breaks(Rule::StandsAgain),
            _ => {}
        }
        if let Some(entry) = self.ledger.entry(user, number)
            && !(entry.fate == Fate::Inside && entry.is_known)
        {
            entry.is_disputed |= matches!(entry.fate, Fate::Left | Fate::Over);
            entry.become_known(Fate::Inside);
            entry.ran = spent(self.scene.policy.session_ttl, until);
        }
    }
}
