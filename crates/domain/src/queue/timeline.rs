//! How long people waited until they were called, and how long they had been told they would wait.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Line, VacantNumbers};
use crate::Timestamp;

/// People who were called in one step, who had joined at about the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wait {
    /// How many; at least 1.
    pub people: u64,
    /// How long they waited, on average. A node sees the line once a refresh, so joining and being called are each known to
    /// one refresh; in a line longer than 4,096 refreshes joining is known to about a thousandth of its length instead.
    pub waited: Duration,
    /// How long they had been told they would, on average.
    pub promised: Duration,
}

/// When the numbers that wait were given, as one node has seen it: a mark for each look at the line, each two of which
/// span the numbers that were given in between.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Oldest first; `last` never falls. When the numbers up to that of the first were given is not known, or does not
    /// matter any more.
    marks: VecDeque<Mark>,
    /// Calls of numbers up to this have been told of.
    told: u64,
}

/// One look at the line.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The highest number given.
    last: u64,
    at: Timestamp,
    /// How long whoever joined just then was to wait.
    promised: Duration,
}

/// Marks kept, at most: some 160 kB.
const MOST_MARKS: usize = 4_096;

impl Timeline {
    /// Takes in a look at the line: `promised` is the time that the holder of its last number has to wait from `now` on, and
    /// `departures` are the numbers given back of those that waited at the look before. Returns how long those waited who were
    /// called since then; whoever had joined before the first look is left out. Where the clock has stepped between joining
    /// and call the wait is off by that step, and never below zero.
    pub(super) fn observe(
        &mut self,
        line: Line,
        departures: &VacantNumbers,
        now: Timestamp,
        promised: Duration,
    ) -> Vec<Wait> {
        let Some(newest) = self.marks.back().copied() else {
            self.told = line.serving();
            self.marks.push_back(Mark { last: line.last(), at: now, promised });
            return Vec::new();
        };
        let waits = self.tell(line.serving(), departures, newest.last, now);
        self.forget(line.serving());
        self.note(Mark { last: line.last().max(newest.last), at: now, promised });
        waits
    }

    /// The waits of the numbers up to `serving` that have not been told of.
    fn tell(
        &mut self,
        serving: u64,
        departures: &VacantNumbers,
        newest: u64,
        now: Timestamp,
    ) -> Vec<Wait> {
        let told = self.told;
        self.told = told.max(serving);
        let people = |from: u64, to: u64| {
            let left = departures.count_up_to(to).saturating_sub(departures.count_up_to(from));
            to.saturating_sub(from).saturating_sub(left)
        };
        let spans = self.marks.iter().zip(self.marks.iter().skip(1));
        let known = spans.take_while(|(start, _)| start.last < serving).map(|(start, end)| {
            let (from, to) = (start.last.max(told), end.last.min(serving));
            let share = middle(start.last, end.last, from, to);
            Wait {
                people: people(from, to),
                waited: between(since(start.at, now), since(end.at, now), share),
                promised: between(start.promised, end.promised, share),
            }
        });
        // They joined since the last look and are called already: at once, as nearly as anybody can tell.
        let people_at_once = people(newest.max(told), serving);
        let at_once =
            Wait { people: people_at_once, waited: Duration::ZERO, promised: Duration::ZERO };
        known.chain([at_once]).filter(|wait| wait.people > 0).collect()
    }

    /// Forgets when numbers were given that have been called. One mark stays, as the start of those that follow.
    fn forget(&mut self, serving: u64) {
        while self.marks.get(1).is_some_and(|second| second.last <= serving) {
            self.marks.pop_front();
        }
        if self.marks.len() == 1
            && let Some(only) = self.marks.front_mut().filter(|only| only.last < serving)
        {
            // Whoever joined since then and was not called is behind this number, which did not wait at all.
            *only = Mark { last: serving, promised: Duration::ZERO, ..*only };
        }
    }

    fn note(&mut self, mark: Mark) {
        let is_quiet =
            self.marks.iter().rev().take(2).filter(|seen| seen.last == mark.last).count() == 2;
        if is_quiet {
            // Two marks say since when nobody has joined, and until when.
            self.marks.pop_back();
        }
        self.marks.push_back(mark);
        if self.marks.len() >= MOST_MARKS {
            self.thin_out();
        }
    }

    /// Leaves out marks between others that are close to each other for the time they span together, however old they are:
    /// about half of them.
    fn thin_out(&mut self) {
        let (Some(oldest), Some(newest)) = (self.marks.front(), self.marks.back()) else { return };
        let close = since(oldest.at, newest.at) * 4 / MOST_MARKS as u32;
        let mut kept: VecDeque<Mark> = VecDeque::with_capacity(MOST_MARKS);
        for (nth, mark) in self.marks.iter().enumerate() {
            let is_between = kept.back().zip(self.marks.get(nth + 1));
            if is_between.is_none_or(|(before, after)| since(before.at, after.at) > close) {
                kept.push_back(*mark);
            }
        }
        if kept.len() > MOST_MARKS / 4 * 3 {
            // Only a clock that goes back and forth leaves so many. The newest stays.
            let (mut nth, newest) = (0, kept.len());
            kept.retain(|_| {
                nth += 1;
                nth % 2 == 1 || nth == newest
            });
        }
        self.marks = kept;
    }
}

/// Where the middle of the numbers from `from` to `to` is between those of two marks: from 0 to 1.
fn middle(start: u64, end: u64, from: u64, to: u64) -> f64 {
    let steps = |number: u64| number.saturating_sub(start) as f64;
    let length = steps(end);
    if length > 0.0 { ((steps(from) + steps(to)) / 2.0 / length).clamp(0.0, 1.0) } else { 0.0 }
}

/// The duration so far on the way from one to the other.
fn between(start: Duration, end: Duration, share: f64) -> Duration {
    let seconds = start.as_secs_f64() * (1.0 - share) + end.as_secs_f64() * share;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// How long ago that was; zero for what a clock that has stepped back takes for the future.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
