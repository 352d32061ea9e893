//! The promises made to users and the nodes and stores that know them; the store is compared with
//! this.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::queue::{
    Change, Changes, Expiry, Incarnation, PlaceStatus, PolicySpec, QueueCounters, QueueNumber,
    QueueTime, Refresh, Shown, UserId, Whole, Witness,
};

use super::rule::Rule;

/// The state of a place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Fate {
    /// Its user is waiting or called.
    Held,
    /// Its user is inside.
    Inside,
    /// Its user left.
    Left,
    /// Its call lapsed, or its session ended.
    Over,
}

/// One place that was given.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Entry {
    pub(super) user: UserId,
    pub(super) number: QueueNumber,
    /// The incarnation in its user's token.
    pub(super) life: Incarnation,
    pub(super) fate: Fate,
    /// Whether the user received the answer that gave the place.
    pub(super) is_acknowledged: bool,
    /// Whether the current store has seen this state come about, or a node has replayed it.
    pub(super) is_known: bool,
    /// Whether the number was given twice without breaking a rule: nothing is promised any more.
    pub(super) is_disputed: bool,
    /// The nodes that know the state, as bits.
    pub(super) nodes: u16,
    /// The nodes whose replay contains or contained the state.
    replayed_by: u16,
    /// The nodes that knew the session and detect its end themselves.
    session_seen_by: u16,
    /// The time that the call has been open, in microseconds of queue time.
    pub(super) called_for: u64,
    /// The time that the session has run, or that has passed since the user left, in microseconds
    /// of queue time.
    pub(super) ran: u64,
    /// The last position that each node reported.
    positions: BTreeMap<u8, u64>,
}

/// The truth of a run.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Ledger {
    pub(super) entries: Vec<Entry>,
    /// The number of losses and promotions of the store so far.
    pub(super) stores: u8,
    /// The highest marks that any witness has reported to this store.
    pub(super) received: QueueCounters,
    /// The queue's time at which the store first knew an incarnation.
    pub(super) lives_since: Option<QueueTime>,
    /// The queue's time at the first step of the server process.
    pub(super) began: Option<QueueTime>,
    /// The true time, and that of the last step, in microseconds.
    pub(super) now: u64,
    last_step: Option<u64>,
    /// The time that has passed minus the advance of the queue's time.
    drift: i64,
    clock_steps: i64,
}

/// Longer than any call or session.
const FOREVER: u64 = u64::MAX / 4;

/// The part of a duration that has passed, given its expiry.
pub(super) fn spent(of: Duration, until: Expiry) -> u64 {
    u64::try_from(of.saturating_sub(until.remaining).as_micros()).unwrap_or(FOREVER)
}

pub(super) fn bit(node: u8) -> u16 {
    1 << node.min(15)
}

impl Ledger {
    /// Records a step of the store: `before` and `after` are the queue's time and marks around it.
    pub(super) fn note_step(
        &mut self,
        witness: &Witness,
        before: (QueueTime, QueueCounters),
        after: QueueTime,
    ) {
        self.received = self.received.raised_to(witness.counters);
        self.began.get_or_insert(after);
        let moved = u64::try_from(after.since(before.0).as_micros()).unwrap_or(0);
        if let Some(last) = self.last_step {
            let fair = (self.now - last).min(super::server::SECOND);
            self.drift += fair.cast_signed() - moved.cast_signed();
        }
        self.last_step = Some(self.now);
        for entry in &mut self.entries {
            match entry.fate {
                Fate::Held if entry.number.get() <= before.1.serving() => entry.called_for += moved,
                Fate::Inside | Fate::Left => entry.ran += moved,
                Fate::Held | Fate::Over => {}
            }
        }
    }

    /// Whether the queue's time is within its bounds: each clock step may shift it by a second at
    /// most.
    pub(super) fn is_time_right(&self) -> bool {
        self.drift.abs() <= self.clock_steps * super::server::SECOND.cast_signed()
    }

    pub(super) fn note_clock_step(&mut self) {
        self.clock_steps += 1;
    }

    /// Records that a new process runs the store; it knows the places in `copy`.
    pub(super) fn note_process(&mut self, copy: Option<&Self>, is_another_store: bool) {
        self.received = QueueCounters::START;
        self.began = None;
        self.last_step = None;
        if !is_another_store {
            return;
        }
        self.stores += 1;
        self.lives_since = copy.and_then(|copy| copy.lives_since);
        for entry in &mut self.entries {
            let same = |known: &&Entry| {
                known.user == entry.user && known.number == entry.number && known.fate == entry.fate
            };
            let known = copy.and_then(|copy| copy.entries.iter().find(same));
            let before = copy.and_then(|copy| {
                copy.entries
                    .iter()
                    .find(|known| known.user == entry.user && known.number == entry.number)
            });
            let is_longer = |before: &&Entry| match entry.fate {
                Fate::Over => matches!(before.fate, Fate::Held | Fate::Inside),
                Fate::Held => before.fate == Fate::Inside,
                Fate::Inside | Fate::Left => false,
            };
            if let Some(before) = before.filter(is_longer) {
                // A call or session lasts longer by the age of the copy.
                entry.begin_again(before.fate);
                entry.is_disputed = true;
            }
            if self.stores > 1 && entry.fate == Fate::Inside {
                // The time of this store can be ahead of the time of the nodes, which ends sessions
                // early.
                entry.ran = FOREVER;
            }
            entry.is_known = known.is_some_and(|known| known.is_known);
        }
    }

    pub(super) fn entry(&mut self, user: UserId, number: QueueNumber) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.user == user && entry.number == number)
    }

    /// The place that a user was given last.
    pub(super) fn token(&self, user: u64) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.user.get() == user && entry.is_acknowledged)
    }

    /// Records that a user was given a place, or found it, in a queue with this policy.
    pub(super) fn give(
        &mut self,
        user: UserId,
        shown: Shown,
        place_status: PlaceStatus,
        policy: &PolicySpec,
    ) -> &mut Entry {
        let Shown { incarnation: life, number } = shown;
        let fate = if matches!(place_status, PlaceStatus::Active { .. }) {
            Fate::Inside
        } else {
            Fate::Held
        };
        let at = self.entries.iter().position(|entry| entry.user == user && entry.number == number);
        let at = at.unwrap_or(self.entries.len());
        if at == self.entries.len() {
            self.entries.push(Entry {
                user,
                number,
                life,
                fate,
                is_acknowledged: false,
                is_known: true,
                is_disputed: false,
                nodes: 0,
                replayed_by: 0,
                session_seen_by: 0,
                called_for: 0,
                ran: 0,
                positions: BTreeMap::new(),
            });
        }
        let entry = &mut self.entries[at];
        if entry.fate != fate {
            // Nothing was promised to a user who returns to an ended place or to a session that
            // this store does not know.
            entry.is_disputed |= matches!(entry.fate, Fate::Left | Fate::Over) || !entry.is_known;
            entry.become_known(fate);
            // It may have lasted longer than this store knows.
            match place_status {
                PlaceStatus::Called { until } => {
                    entry.called_for = spent(policy.claim_within, until);
                }
                PlaceStatus::Active { until } => entry.ran = spent(policy.session_ttl, until),
                PlaceStatus::Waiting | PlaceStatus::Gone => {}
            }
        }
        entry.is_known = true;
        entry
    }

    /// Records that a node applied the changes of a refresh. `is_prompt`: without delay.
    /// `remembers`: whether the node believes that a session still runs.
    pub(super) fn note_followed(
        &mut self,
        node: u8,
        refresh: &Refresh,
        is_prompt: bool,
        remembers: impl Fn(u64) -> bool,
    ) {
        for entry in &mut self.entries {
            let number = entry.number.get();
            let is_over = entry.fate == Fate::Over && entry.is_known && is_prompt;
            let saw_it_end = entry.session_seen_by & bit(node) != 0 && !remembers(number);
            if is_over && (saw_it_end || refresh.calls_from >= number) {
                entry.nodes |= bit(node);
            }
            match &refresh.changes {
                Changes::Whole(Whole { vacant, .. }) => {
                    if entry.fate == Fate::Left
                        && vacant.contains(number)
                        && !vacant.is_in_range(number)
                    {
                        entry.nodes |= bit(node);
                    }
                }
                Changes::Since(changes) => {
                    for change in changes {
                        entry.note_change(node, *change);
                    }
                }
            }
        }
    }

    /// Records that a node saw a new generation, and will replay its current knowledge.
    pub(super) fn note_generation(&mut self, node: u8) {
        for entry in &mut self.entries {
            entry.replayed_by = entry.replayed_by & !bit(node) | entry.nodes & bit(node);
        }
    }

    /// Records that a node replayed its knowledge; calls `replayed` for each place that the store
    /// must now know.
    pub(super) fn note_replayed(&mut self, node: u8, mut replayed: impl FnMut(&mut Entry)) {
        for entry in &mut self.entries {
            if entry.replayed_by & bit(node) != 0 && !entry.is_known {
                entry.is_known = true;
                replayed(entry);
            }
        }
    }

    /// Records the positions that a node reports to waiting users.
    pub(super) fn note_positions(
        &mut self,
        node: u8,
        position: impl Fn(QueueNumber) -> u64,
    ) -> Option<Rule> {
        let mut broken = None;
        for entry in &mut self.entries {
            if entry.fate == Fate::Held && entry.is_acknowledged {
                let reported = position(entry.number);
                let before = entry.positions.insert(node, reported);
                if before.is_some_and(|before| reported > before) {
                    broken = Some(Rule::PositionRose);
                }
            }
        }
        broken
    }
}

impl Entry {
    /// The contents of its user's token.
    pub(super) fn shown(&self) -> Shown {
        Shown { incarnation: self.life, number: self.number }
    }

    /// Records that the store put the place in this state.
    pub(super) fn become_known(&mut self, fate: Fate) {
        if fate == Fate::Inside {
            self.session_seen_by = 0;
        }
        if matches!(fate, Fate::Inside | Fate::Left) {
            self.ran = 0;
        }
        if fate == Fate::Held {
            self.called_for = 0;
        }
        self.fate = fate;
        self.is_known = true;
        (self.nodes, self.replayed_by) = (0, 0);
    }

    /// Records an excusable return to this state, in which the call has been open for an unknown
    /// time.
    pub(super) fn begin_again(&mut self, fate: Fate) {
        self.become_known(fate);
        self.called_for = FOREVER;
        if fate == Fate::Inside {
            self.ran = FOREVER;
        }
    }

    /// Whether this node knew the state when it found the current generation of the store.
    pub(super) fn is_to_be_replayed_by(&self, node: u8) -> bool {
        self.replayed_by & bit(node) != 0
    }

    /// Records that this node learned the state from an answer.
    pub(super) fn is_notified(&mut self, node: u8) {
        self.nodes |= bit(node);
        if self.fate == Fate::Inside {
            self.session_seen_by |= bit(node);
        }
    }

    fn note_change(&mut self, node: u8, change: Change) {
        let number = self.number.get();
        match change {
            Change::Claimed { number: claimed, user, .. }
                if claimed == number && user == self.user =>
            {
                self.session_seen_by |= bit(node);
                if self.fate == Fate::Inside {
                    self.nodes |= bit(node);
                }
            }
            Change::Released(over) | Change::Abandoned(over)
                if over == number && self.fate == Fate::Left =>
            {
                self.nodes |= bit(node);
            }
            Change::Claimed { .. }
            | Change::Released(_)
            | Change::Abandoned(_)
            | Change::Skipped { .. }
            | Change::Found(_) => {}
        }
    }
}
