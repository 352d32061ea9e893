//! A history indexed for the checks: ops by begin, ops by place, and joins by user. Sorting costs
//! O(n log n) once; each check then walks the index.

use std::collections::HashMap;
use std::time::Duration;

use domain::queue::{QueueNumber, UserId};

use super::op::Observation;
use super::{Completion, Record, Rules};

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
        // Both sorts are stable: the ops of a place and the joins of a user stay ordered by begin.
        let mut by_place: Vec<&Record> =
            by_begin.iter().copied().filter(|op| op.place().is_some()).collect();
        by_place.sort_by_key(|op| op.place());
        let mut joins_by_user: Vec<&Record> =
            by_begin.iter().copied().filter(|op| op.is_join()).collect();
        joins_by_user.sort_by_key(|op| op.requested.user());
        let mut doubtful_joins = HashMap::new();
        for join in joins_by_user.iter().filter(|join| join.reported == Completion::Unknown) {
            doubtful_joins.entry(join.requested.user()).or_insert(join.begun);
        }
        Self { by_begin, by_place, joins_by_user, doubtful_joins }
    }

    /// All ops, ordered by begin.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'a Record> {
        self.by_begin.iter().copied()
    }

    /// All places that appear in the history, ordered by number.
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

    /// The joins of each user, ordered by begin.
    pub(super) fn joins_by_user(&self) -> impl Iterator<Item = &[&'a Record]> {
        self.joins_by_user.chunk_by(|a, b| a.requested.user() == b.requested.user())
    }
}

/// Everything known about one user's place with one number. Each method walks the ops of the place.
pub(super) struct Place<'v, 'a> {
    pub(super) number: QueueNumber,
    ops: &'v [&'a Record],
    doubtful_join: Option<Duration>,
}

impl<'a> Place<'_, 'a> {
    /// All ops about this place, ordered by begin.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'a Record> {
        self.ops.iter().copied()
    }

    /// The ops that reported a status of this place, ordered by begin.
    pub(super) fn sights(&self) -> impl Iterator<Item = (Observation, &'a Record)> {
        self.ops().filter_map(|op| Some((op.observation()?, op)))
    }

    /// The joins that returned this number, ordered by begin.
    pub(super) fn joins(&self) -> impl Iterator<Item = &'a Record> {
        self.ops().filter(|op| op.reported_number().is_some())
    }

    /// The earliest moment at which this place can have been given. It is the begin of the first
    /// join that returned the number, or of an earlier join of unknown outcome that may have been
    /// given it. `None` if no join returned the number.
    pub(super) fn given_from(&self) -> Option<Duration> {
        let reported = self.joins().next()?.begun;
        Some(self.doubtful_join.map_or(reported, |doubtful| doubtful.min(reported)))
    }

    /// The earliest moment at which its user can have left.
    pub(super) fn left_from(&self) -> Option<Duration> {
        self.ops().find(|op| op.may_release()).map(|op| op.begun)
    }

    /// Whether its user may have left by then.
    pub(super) fn may_be_left_by(&self, by: Duration) -> bool {
        self.left_from().is_some_and(|left| left <= by)
    }

    /// Whether its call or session may have expired by then. Neither can start before the place was
    /// given, nor before it was last seen waiting.
    pub(super) fn may_lapse_by(&self, by: Duration, rules: &Rules) -> bool {
        let (Some(after), Some(given)) = (rules.places_end_after, self.given_from()) else {
            return false;
        };
        let waiting =
            self.sights().filter(|(observation, _)| *observation == Observation::Waiting).last();
        let uncalled =
            waiting.map_or(given, |(_, op)| given.max(op.begun.saturating_sub(rules.view_lag)));
        uncalled.saturating_add(after) <= by
    }

    /// Whether this place may have ended between `since` and `by`, because it was left, reported
    /// gone or expired. It was held at `since` or later.
    pub(super) fn may_end_between(&self, since: Duration, by: Duration, rules: &Rules) -> bool {
        let ends = |op: &Record| op.may_release() || op.observation() == Some(Observation::Gone);
        let mut endings = self.ops().filter(|op| ends(op));
        endings.any(|op| op.begun <= by && op.done_by() >= since) || self.may_lapse_by(by, rules)
    }
}

/// The highest key observed before each moment. Built in O(n log n), queried in O(log n).
pub(super) struct Frontier<'a, K> {
    /// Ascending by moment and by key.
    steps: Vec<(Duration, K, &'a Record)>,
}

impl<'a, K: Ord + Copy> Frontier<'a, K> {
    /// Takes the observations in any order, each with the moment at which it became known.
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

    /// The highest key known before the moment, and the op that observed it.
    pub(super) fn before(&self, moment: Duration) -> Option<(K, &'a Record)> {
        let known = self.steps.partition_point(|(from, ..)| *from < moment);
        self.steps[..known].last().map(|(_, key, op)| (*key, *op))
    }
}
