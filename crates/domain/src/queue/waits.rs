//! How long people waited until their call, and the estimates they got when they joined.

use std::collections::VecDeque;
use std::time::Duration;

use super::{QueueCounters, VacantNumbers};
use crate::Timestamp;

/// People called in one step who had joined at about the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Wait {
    /// The number of people, at least 1.
    pub people: u64,
    /// Their mean wait. A node sees the queue once a refresh, so the times of joining and of the
    /// call are each accurate to one refresh. In a queue longer than 4,096 refreshes, joining is
    /// accurate to about a thousandth of its length instead.
    pub waited: Duration,
    /// Their mean estimate at joining.
    pub promised: Duration,
}

/// When waiting numbers were issued, as seen by one node: a mark for each snapshot. Two successive
/// marks span the numbers issued in between.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Oldest first; `last` never falls. When numbers up to that of the first mark were issued is
    /// unknown, or no longer matters.
    marks: VecDeque<Mark>,
    /// Calls of numbers up to this one have been reported.
    reported: u64,
}

/// One snapshot of the queue.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The highest number issued.
    last: u64,
    at: Timestamp,
    /// The estimated wait of the last person who joined.
    promised: Duration,
}

/// The most marks kept: about 160 kB.
const MOST_MARKS: usize = 4_096;

impl Timeline {
    /// Records a snapshot of the queue. `promised` is the wait of the holder of its last number
    /// from `now` on, and `abandoned` are the abandoned numbers of the snapshot before. Returns
    /// the waits of the people called since then, without those who joined before the first
    /// snapshot. If the clock stepped between joining and call, the wait is off by that step, but
    /// never below zero.
    pub(super) fn observe(
        &mut self,
        counters: QueueCounters,
        abandoned: &VacantNumbers,
        now: Timestamp,
        promised: Duration,
    ) -> Vec<Wait> {
        let Some(newest) = self.marks.back().copied() else {
            self.reported = counters.serving();
            self.marks.push_back(Mark { last: counters.last(), at: now, promised });
            return Vec::new();
        };
        let waits = self.notify(counters.serving(), abandoned, newest.last, now);
        self.forget(counters.serving());
        self.note(Mark { last: counters.last().max(newest.last), at: now, promised });
        waits
    }

    /// The waits of the numbers up to `serving` that have not been reported.
    fn notify(
        &mut self,
        serving: u64,
        abandoned: &VacantNumbers,
        newest: u64,
        now: Timestamp,
    ) -> Vec<Wait> {
        let reported = self.reported;
        self.reported = reported.max(serving);
        let people = |from: u64, to: u64| {
            let left = abandoned.count_up_to(to).saturating_sub(abandoned.count_up_to(from));
            to.saturating_sub(from).saturating_sub(left)
        };
        let spans = self.marks.iter().zip(self.marks.iter().skip(1));
        let known = spans.take_while(|(start, _)| start.last < serving).map(|(start, end)| {
            let (from, to) = (start.last.max(reported), end.last.min(serving));
            let share = middle(start.last, end.last, from, to);
            Wait {
                people: people(from, to),
                waited: between(since(start.at, now), since(end.at, now), share),
                promised: between(start.promised, end.promised, share),
            }
        });
        // They joined since the last snapshot and are called already, so their wait counts as zero.
        let people_at_once = people(newest.max(reported), serving);
        let at_once =
            Wait { people: people_at_once, waited: Duration::ZERO, promised: Duration::ZERO };
        known.chain([at_once]).filter(|wait| wait.people > 0).collect()
    }

    /// Drops the marks of called numbers. One mark stays, as the start of those that follow.
    fn forget(&mut self, serving: u64) {
        while self.marks.get(1).is_some_and(|second| second.last <= serving) {
            self.marks.pop_front();
        }
        if self.marks.len() == 1
            && let Some(only) = self.marks.front_mut().filter(|only| only.last < serving)
        {
            // Those who joined since and still wait are behind this number, which did not wait.
            *only = Mark { last: serving, promised: Duration::ZERO, ..*only };
        }
    }

    fn note(&mut self, mark: Mark) {
        let is_quiet =
            self.marks.iter().rev().take(2).filter(|seen| seen.last == mark.last).count() == 2;
        if is_quiet {
            // Two marks cover a period without joins.
            self.marks.pop_back();
        }
        self.marks.push_back(mark);
        if self.marks.len() >= MOST_MARKS {
            self.thin_out();
        }
    }

    /// Drops about half of the marks of any age: those whose neighbors are close in time, compared
    /// with the whole span.
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
            // Only a clock that steps back and forth leaves this many. The newest stays.
            let (mut nth, newest) = (0, kept.len());
            kept.retain(|_| {
                nth += 1;
                nth % 2 == 1 || nth == newest
            });
        }
        self.marks = kept;
    }
}

/// The relative place of the middle of the numbers `from` to `to` between two marks, from 0 to 1.
fn middle(start: u64, end: u64, from: u64, to: u64) -> f64 {
    let steps = |number: u64| number.saturating_sub(start) as f64;
    let length = steps(end);
    if length > 0.0 { ((steps(from) + steps(to)) / 2.0 / length).clamp(0.0, 1.0) } else { 0.0 }
}

/// Interpolates between two durations.
fn between(start: Duration, end: Duration, share: f64) -> Duration {
    let seconds = start.as_secs_f64() * (1.0 - share) + end.as_secs_f64() * share;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The time since `then`; zero if a clock stepped back and `then` is in the future.
fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
