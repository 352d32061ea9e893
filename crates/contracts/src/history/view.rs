//! A history made ready for the checks: every op by its begin, by its place, and the joins by user. Sorting costs
//! O(n log n) once; each check then walks it.

use std::collections::HashMap;
use std::time::Duration;

use domain::queue::{QueueNumber, UserId};

use super::record::Sight;
use super::{Record, Rules, Told};

pub(super) struct View<'a> {
    by_begin: Vec<&'a Record>,
    by_place: Vec<&'a Record>,
    joins_by_user: Vec<&'a Record>,
    /// When each user's first join of unknown outcome began.
    doubtful_joins: HashMap<UserId, Duration>,
}

impl<'a> View<'a> {
    pub(super) fn new(records: &'a [Record]) -> Self {
        let mut by_begin: Vec<&Record> = records.iter().collect();
        by_begin.sort_by_key(|op| op.begun);
        // Both sorts are stable: the ops of one place, and the joins of one user, stay in the order of their begin.
        let mut by_place: Vec<&Record> =
            by_begin.iter().copied().filter(|op| op.place().is_some()).collect();
        by_place.sort_by_key(|op| op.place());
        let mut joins_by_user: Vec<&Record> =
            by_begin.iter().copied().filter(|op| op.is_join()).collect();
        joins_by_user.sort_by_key(|op| op.asked.user());
        let mut doubtful_joins = HashMap::new();
        for join in joins_by_user.iter().filter(|join| join.told == Told::Unknown) {
            doubtful_joins.entry(join.asked.user()).or_insert(join.begun);
        }
        Self { by_begin, by_place, joins_by_user, doubtful_joins }
    }

    /// Every op by its begin.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'a Record> {
        self.by_begin.iter().copied()
    }

    /// Every place that is named, by number.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_, 'a>> {
        let same = |a: &&Record, b: &&Record| a.place() == b.place();
        self.by_place.chunk_by(same).filter_map(|ops| {
            let (number, user) = ops.first()?.place()?;
            Some(Place { number, ops, doubtful_join: self.doubtful_joins.get(&user).copied() })
        })
    }

    /// The place of a user with a number.
    pub(super) fn place(&self, number: QueueNumber, user: UserId) -> Place<'_, 'a> {
        let key = Some((number, user));
        let from = self.by_place.partition_point(|op| op.place() < key);
        let ops = &self.by_place[from..];
        let ops = &ops[..ops.partition_point(|op| op.place() <= key)];
        Place { number, ops, doubtful_join: self.doubtful_joins.get(&user).copied() }
    }

    /// The joins of each user, by their begin.
    pub(super) fn joins_by_user(&self) -> impl Iterator<Item = &[&'a Record]> {
        self.joins_by_user.chunk_by(|a, b| a.asked.user() == b.asked.user())
    }
}

/// What is known of one user's place with one number. Each question walks the ops of the place.
pub(super) struct Place<'v, 'a> {
    pub(super) number: QueueNumber,
    ops: &'v [&'a Record],
    doubtful_join: Option<Duration>,
}

impl<'a> Place<'_, 'a> {
    /// Every op about it, by its begin.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'a Record> {
        self.ops.iter().copied()
    }

    /// The ops that showed something of it, by their begin.
    pub(super) fn sights(&self) -> impl Iterator<Item = (Sight, &'a Record)> {
        self.ops().filter_map(|op| Some((op.sight()?, op)))
    }

    /// The joins that were told it, by their begin.
    pub(super) fn joins(&self) -> impl Iterator<Item = &'a Record> {
        self.ops().filter(|op| op.number_told().is_some())
    }

    /// The earliest moment at which it can have been given: no join that was told it, nor one that may have got it
    /// without being told, had begun before. `None` where it was never told.
    pub(super) fn given_from(&self) -> Option<Duration> {
        let told = self.joins().next()?.begun;
        Some(self.doubtful_join.map_or(told, |doubtful| doubtful.min(told)))
    }

    /// The earliest moment at which it can have been given back by its user.
    pub(super) fn left_from(&self) -> Option<Duration> {
        self.ops().find(|op| op.may_give_back()).map(|op| op.begun)
    }

    /// Whether its user may have given it back by then.
    pub(super) fn may_be_left_by(&self, by: Duration) -> bool {
        self.left_from().is_some_and(|left| left <= by)
    }

    /// Whether its call or session may have run out by then. Nobody's does before they are called, so not before it was
    /// given, nor before it was seen waiting.
    pub(super) fn may_lapse_by(&self, by: Duration, rules: &Rules) -> bool {
        let (Some(after), Some(given)) = (rules.places_end_after, self.given_from()) else {
            return false;
        };
        let waiting = self.sights().filter(|(sight, _)| *sight == Sight::Waiting).last();
        let uncalled =
            waiting.map_or(given, |(_, op)| given.max(op.begun.saturating_sub(rules.view_lag)));
        uncalled.saturating_add(after) <= by
    }

    /// Whether it may have ended between a moment at which it was held, not before `since`, and `by`: given back, told
    /// gone, or run out.
    pub(super) fn may_end_between(&self, since: Duration, by: Duration, rules: &Rules) -> bool {
        let ends = |op: &Record| op.may_give_back() || op.sight() == Some(Sight::Gone);
        let mut endings = self.ops().filter(|op| ends(op));
        endings.any(|op| op.begun <= by && op.done_by() >= since) || self.may_lapse_by(by, rules)
    }
}

/// The highest key seen before each moment. Built in O(n log n), asked in O(log n).
pub(super) struct Frontier<'a, K> {
    /// Rising in moment and in key.
    steps: Vec<(Duration, K, &'a Record)>,
}

impl<'a, K: Ord + Copy> Frontier<'a, K> {
    /// Takes what was seen, and the moment from which on it is known, in any order.
    pub(super) fn new(mut seen: Vec<(Duration, K, &'a Record)>) -> Self {
        seen.sort_by_key(|(moment, ..)| *moment);
        let mut highest = None;
        seen.retain(|(_, key, _)| {
            let is_higher = highest.is_none_or(|highest| *key > highest);
            if is_higher {
                highest = Some(*key);
            }
            is_higher
        });
        Self { steps: seen }
    }

    /// The highest key known before the moment, and who saw it.
    pub(super) fn before(&self, moment: Duration) -> Option<(K, &'a Record)> {
        let known = self.steps.partition_point(|(from, ..)| *from < moment);
        self.steps[..known].last().map(|(_, key, op)| (*key, *op))
    }
}
