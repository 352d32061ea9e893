//! The incarnations that a store accepts, and the effect of the numbers on tokens.
//!
//! A token is not a witness: its holder can present it as long as it is valid, and it may be from a
//! rehearsal. So a token begins no doubt and puts no one behind numbers without holders. It raises
//! the numbers a bounded number of times, so that no presented number is reissued.

use std::time::Duration;

use super::QueueState;
use crate::queue::recovery::{Change, Witness};
use crate::queue::{Incarnation, Incarnations, QueueCounters, QueueNumber, QueueTime, Shown};

/// The time in which a store without data may adopt an incarnation from a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Adoption {
    until: QueueTime,
    has_adopted: bool,
}

/// The margin skipped above the first number of a token; it doubles with each raise.
const MARGIN: u64 = 10_000;

/// The most raises by tokens in the lifetime of a store.
const MOST_RAISES: u32 = 16;

impl QueueState {
    /// How long a store may adopt an incarnation after it created one because no witness remembered
    /// any.
    pub const ADOPTION: Duration = Duration::from_secs(5);

    /// The incarnations whose tokens the store accepts.
    #[must_use]
    pub fn incarnations(&self) -> Incarnations {
        self.incarnations
    }

    /// Whether the store would now adopt the unknown incarnation of a token.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.adoption.is_some_and(|adoption| !adoption.has_adopted)
    }

    /// Whether calling waits, so that people near the front have time to present their tokens.
    pub(super) fn waits_for_tokens(&self) -> bool {
        self.adoption.is_some_and(|adoption| adoption.has_adopted)
    }

    /// Adds the incarnations that a witness or a checkpoint remembers. A store that learns of
    /// another one this way is not without data, and adopts none.
    pub(super) fn learn_incarnations(&mut self, known: Incarnations) {
        let all = self.incarnations.union(known);
        if all != self.incarnations {
            self.incarnations = all;
            self.adoption = None;
        }
    }

    /// Creates an incarnation if the store is not in doubt and no witness remembers one. Any
    /// checkpoint has been read by then: the queue is new, and no token of it can exist.
    pub(super) fn begin_incarnation(&mut self, witness: &Witness) {
        self.adoption = self.adoption.filter(|adoption| self.time < adoption.until);
        if self.incarnations.is_empty() && self.is_open_for(witness) {
            let begun = Incarnation::begin(self.clock.unwrap_or_default(), witness.node);
            self.incarnations = self.incarnations.with(begun);
            let adoption = Adoption { until: self.time + Self::ADOPTION, has_adopted: false };
            self.adoption = (!witness.needs_checkpoint).then_some(adoption);
        }
    }

    /// Applies the number and incarnation of a token. Call it after [`begin`](Self::begin), before
    /// the step itself. A number above all issued ones skips those between, and some more that may
    /// have been issued too.
    pub fn note_shown(&mut self, shown: Shown) {
        if self.doubt.is_some() || self.awaits_checkpoint {
            // Witnesses and the checkpoint come first.
            return;
        }
        if !self.incarnations.contains(shown.incarnation) {
            let Some(adoption) = self.adoption.as_mut().filter(|adoption| !adoption.has_adopted)
            else {
                return;
            };
            adoption.has_adopted = true;
            self.incarnations = self.incarnations.with(shown.incarnation);
        }
        let number = shown.number.get();
        if number <= self.counters.last() || self.raises >= MOST_RAISES {
            return;
        }
        let to = number.saturating_add(MARGIN << self.raises);
        if to <= QueueNumber::MAX {
            let last = self.counters.last();
            let from = if last == self.raised.1 { self.raised.0 } else { last };
            self.raises += 1;
            self.raised = (from, to);
            self.skip_up_to(to);
        }
    }

    /// The counters for a node that uses them as a witness without following the changes: without
    /// numbers skipped because of tokens and not followed by joins. A node that knew those numbers,
    /// but not that they are skipped, would count them as people after a loss of the store.
    #[must_use]
    pub fn witnessed_counters(&self) -> QueueCounters {
        let (from, to) = self.raised;
        if self.counters.last() == to {
            QueueCounters::new(from, self.counters.serving().min(from))
        } else {
            self.counters
        }
    }

    /// Skips the numbers from the last one up to this one, whose holders are unknown.
    pub(super) fn skip_up_to(&mut self, to: u64) {
        let from = self.counters.last();
        self.vacant.insert_range(from, to);
        self.counters = self.counters.raised_to(QueueCounters::new(to, 0));
        self.log(Change::Skipped { from, to });
    }
}
