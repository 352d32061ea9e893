//! Numbers lost with a store: after a takeover they have no holder.

use super::QueueState;
use crate::queue::recovery::{Change, Doubt};

/// The most numbers checked for holders after a loss, the newest ones, so that a step is bounded.
const MOST_UNHELD: u64 = 50_000;

/// The most ranges they are skipped in, because each lookup of a number searches all ranges.
const MOST_UNHELD_RANGES: usize = 100;

impl QueueState {
    /// Skips numbers without a holder, above those the store had when another process took over. A
    /// join whose response was lost leaves such a number, and its user joins again and gets another
    /// one. If no node knows a holder, that is a proof only after every node live at the loss has
    /// replayed its entries.
    pub(super) fn skip_numbers_without_holder(&mut self, doubt: &Doubt) {
        let found = doubt.found();
        let mut live = self.nodes.values().filter(|node| node.is_live(found.time)).peekable();
        let is_proved = live.peek().is_some() && live.all(|node| node.replayed == self.generation);
        if !doubt.is_takeover() || !is_proved {
            return;
        }
        let last = self.counters.last();
        let first = found.counters.last().max(last.saturating_sub(MOST_UNHELD));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for number in (first + 1..=last).filter(|number| self.has_no_holder(*number)) {
            match ranges.last_mut() {
                Some(range) if range.1 + 1 == number => range.1 = number,
                Some(_) | None => ranges.push((number - 1, number)),
            }
        }
        for (from, to) in ranges.into_iter().take(MOST_UNHELD_RANGES) {
            for number in from + 1..=to {
                self.calls.use_up(number, self.time);
            }
            self.vacant.insert_range(from, to);
            self.log(Change::Skipped { from, to });
        }
    }

    /// Whether a number waits or is called, and has no known holder.
    fn has_no_holder(&self, number: u64) -> bool {
        let is_open =
            number > self.counters.serving() || self.calls.end_of(number, self.time).is_some();
        is_open && self.owner(number).is_none() && !self.vacant.contains(number)
    }
}
