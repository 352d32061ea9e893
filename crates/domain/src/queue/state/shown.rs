//! The lives of a queue that its store accepts, and what visitors' tokens show of them.
//!
//! A token is no witness: it comes from whoever holds it, for as long as it is valid, and may be of
//! a rehearsal. So what it shows begins no doubt and puts nobody behind numbers that nobody holds.
//! It raises the numbers a bounded number of times, so that none that was shown is given again.

use std::time::Duration;

use super::QueueState;
use crate::queue::recovery::{Change, Witness};
use crate::queue::{Incarnation, Incarnations, Line, QueueNumber, QueueTime, Shown};

/// The time in which a store without any memory may adopt what tokens show.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Adoption {
    until: QueueTime,
    has_adopted: bool,
}

/// How far above the first number that is shown the next one is given; twice as far with each
/// raise.
const MARGIN: u64 = 10_000;

/// Shown numbers raise the queue so many times at most, as long as its store lives.
const MOST_RAISES: u32 = 16;

impl QueueState {
    /// A store that has made an incarnation because nothing remembered one may adopt another for
    /// this long.
    pub const ADOPTION: Duration = Duration::from_secs(5);

    /// The lives whose tokens the store accepts.
    #[must_use]
    pub fn incarnations(&self) -> Incarnations {
        self.incarnations
    }

    /// Whether a token of an unknown life would be adopted now.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.adoption.is_some_and(|adoption| !adoption.has_adopted)
    }

    /// Whether people near the front still have time to show their tokens, so that nobody is
    /// called.
    pub(super) fn waits_for_tokens(&self) -> bool {
        self.adoption.is_some_and(|adoption| adoption.has_adopted)
    }

    /// Takes in the lives that a witness or a checkpoint remembers. A store that learns of another
    /// one this way is not without memory, and adopts none.
    pub(super) fn learn_incarnations(&mut self, known: Incarnations) {
        let all = self.incarnations.union(known);
        if all != self.incarnations {
            self.incarnations = all;
            self.adoption = None;
        }
    }

    /// Begins a life where the store is in no doubt and nothing remembers one. Where there is a
    /// checkpoint, it has been read by then: the queue is new, and no token of it can exist.
    pub(super) fn begin_incarnation(&mut self, witness: &Witness) {
        self.adoption = self.adoption.filter(|adoption| self.time < adoption.until);
        if self.incarnations.is_empty() && self.is_open_for(witness) {
            let begun = Incarnation::begin(self.clock.unwrap_or_default(), witness.node);
            self.incarnations = self.incarnations.with(begun);
            let adoption = Adoption { until: self.time + Self::ADOPTION, has_adopted: false };
            self.adoption = (!witness.needs_checkpoint).then_some(adoption);
        }
    }

    /// Takes in what a visitor's token shows; to be called after [`begin`](Self::begin), before the
    /// step itself. A number above all that were given skips those between, and some more that may
    /// have been given too.
    pub fn note_shown(&mut self, shown: Shown) {
        if self.doubt.is_some() || self.awaits_checkpoint {
            // Witnesses come first, and the checkpoint.
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
        if number <= self.line.last() || self.raises >= MOST_RAISES {
            return;
        }
        let to = number.saturating_add(MARGIN << self.raises);
        if to <= QueueNumber::MAX {
            let last = self.line.last();
            let from = if last == self.raised.1 { self.raised.0 } else { last };
            self.raises += 1;
            self.raised = (from, to);
            self.skip_up_to(to);
        }
    }

    /// The two integers, as a node may take them for a witness which does not follow the changes
    /// with them: without what tokens have raised and nobody was given since. A node that knew of
    /// those numbers and not that they are skipped would make people of them in a store that is
    /// lost.
    #[must_use]
    pub fn witnessed_line(&self) -> Line {
        let (from, to) = self.raised;
        if self.line.last() == to {
            Line::new(from, self.line.serving().min(from))
        } else {
            self.line
        }
    }

    /// Passes over the numbers from the last one to this one, of which nobody is known to have been
    /// given any.
    pub(super) fn skip_up_to(&mut self, to: u64) {
        let from = self.line.last();
        self.vacant.insert_range(from, to);
        self.line = self.line.raised_to(Line::new(to, 0));
        self.log(Change::Skipped { from, to });
    }
}
