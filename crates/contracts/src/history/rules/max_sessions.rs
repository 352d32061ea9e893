//! The number of concurrent sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::finding::Breach;
use crate::history::index::{Place, View};
use crate::history::op::Observation;
use crate::history::{Record, Rules};

/// At most `max_active` sessions certainly run at any moment. O(n log n).
pub(in crate::history) fn limit<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let Some(max_active) = rules.max_active.and_then(|max| usize::try_from(max).ok()) else {
        return Vec::new();
    };
    let mut stays: Vec<Stay<'_>> =
        view.places().filter_map(|place| certain_stay(&place, rules)).collect();
    stays.sort_by_key(|stay| stay.from);
    // Ordered by end; the id distinguishes ops with the same end.
    let mut inside: BTreeMap<(Duration, u64), &Record> = BTreeMap::new();
    let mut breaches = Vec::new();
    for stay in stays {
        while let Some(ended) = inside.first_entry().filter(|ended| ended.key().0 <= stay.from) {
            ended.remove();
        }
        if let Some(other) = inside.values().next()
            && inside.len() >= max_active
        {
            breaches.push(Breach::between(other, stay.admitted));
        }
        inside.insert((stay.until, stay.admitted.id), stay.admitted);
    }
    breaches
}

/// The time in which a session certainly runs.
struct Stay<'a> {
    from: Duration,
    /// The session may have ended at this moment.
    until: Duration,
    admitted: &'a Record,
}

/// The time in which the session of a place certainly runs, if any. A place has one session,
/// however often its user enters.
///
/// The session runs at the end of the first admission that succeeded. It certainly runs until the
/// earliest of:
///
/// - the begin of the first op that may have released the place;
/// - the earliest end that it can have. The session was claimed by the first op that may have
///   claimed it or a later one, and not before it was last seen unclaimed, and it lasts for the
///   longest time that any response said. A response states the time from itself on, and none
///   arrived before the claim, so this end is not too late;
/// - if it was seen gone before that end, the begin of the last op that saw it run: it was lost at
///   an unknown time.
fn certain_stay<'a>(place: &Place<'_, 'a>, rules: &Rules) -> Option<Stay<'a>> {
    let admissions = || place.ops().filter(|op| op.admission_time().is_some());
    let first = admissions().min_by_key(|op| op.over())?;
    let from = first.over();
    let lasts = admissions().filter_map(Record::admission_time).max()?;
    let mut until = claimed_from(place, from, rules).saturating_add(lasts);
    if let Some(left) = place.left_from() {
        until = until.min(left);
    }
    let gone = place
        .sights()
        .find(|(observation, _)| *observation == Observation::Gone)
        .map(|(_, op)| op.begun);
    if let Some(gone) = gone.filter(|gone| *gone < until) {
        let runs = place
            .sights()
            .filter(|(observation, op)| *observation == Observation::Active && op.begun <= gone);
        let seen = runs.map(|(_, op)| op.begun.saturating_sub(rules.view_lag)).last();
        until = until.min(seen.unwrap_or_default());
    }
    (from < until).then_some(Stay { from, until, admitted: first })
}

/// The earliest moment at which a session that runs at `by` can have been claimed.
fn claimed_from(place: &Place<'_, '_>, by: Duration, rules: &Rules) -> Duration {
    let claim = place.ops().find(|op| op.may_claim()).map(|op| op.begun).unwrap_or_default();
    let is_unclaimed = |observation: Observation| {
        matches!(observation, Observation::Waiting | Observation::Called)
    };
    let unclaimed = place
        .sights()
        .filter(|(observation, op)| is_unclaimed(*observation) && op.begun <= by)
        .last();
    unclaimed.map_or(claim, |(_, op)| claim.max(op.begun.saturating_sub(rules.view_lag)))
}
