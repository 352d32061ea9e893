//! How many are inside at once.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::check::Breach;
use crate::history::record::Sight;
use crate::history::view::{Place, View};
use crate::history::{Record, Rules};

/// At no moment do more than `max_active` sessions certainly run. O(n log n).
pub(in crate::history) fn limit<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let Some(max_active) = rules.max_active.and_then(|max| usize::try_from(max).ok()) else {
        return Vec::new();
    };
    let mut stays: Vec<Stay<'_>> =
        view.places().filter_map(|place| certain_stay(&place, rules)).collect();
    stays.sort_by_key(|stay| stay.from);
    // By their end; ops are told apart by their id.
    let mut inside: BTreeMap<(Duration, u64), &Record> = BTreeMap::new();
    let mut breaches = Vec::new();
    for stay in stays {
        while let Some(ended) = inside.first_entry().filter(|ended| ended.key().0 <= stay.from) {
            ended.remove();
        }
        if let Some(other) = inside.values().next()
            && inside.len() >= max_active
        {
            breaches.push(Breach::between(other, stay.let_in));
        }
        inside.insert((stay.until, stay.let_in.id), stay.let_in);
    }
    breaches
}

/// When a session certainly runs.
struct Stay<'a> {
    from: Duration,
    /// No longer inside at this moment.
    until: Duration,
    let_in: &'a Record,
}

/// When the session of a place certainly runs, if at all; a place has one session, however often its user goes in.
///
/// It runs by the end of the first op that was let in. It runs until the earliest of
///
/// - the begin of the first op that may have given it back;
/// - the earliest end it can have had: it was claimed by the first op that may have claimed it or a later one, and not
///   before it was still seen unclaimed, and lasts as long from there as any answer said. An answer says how long from
///   itself on, and no answer was there before the claim, so this is not too late;
/// - where it was seen gone before that end, the begin of the op that saw it run last: it was lost, nobody knows when.
fn certain_stay<'a>(place: &Place<'_, 'a>, rules: &Rules) -> Option<Stay<'a>> {
    let let_in = || place.ops().filter(|op| op.let_in().is_some());
    let first = let_in().min_by_key(|op| op.over())?;
    let from = first.over();
    let lasts = let_in().filter_map(Record::let_in).max()?;
    let mut until = claimed_from(place, from, rules).saturating_add(lasts);
    if let Some(left) = place.left_from() {
        until = until.min(left);
    }
    let gone = place.sights().find(|(sight, _)| *sight == Sight::Gone).map(|(_, op)| op.begun);
    if let Some(gone) = gone.filter(|gone| *gone < until) {
        let runs = place.sights().filter(|(sight, op)| *sight == Sight::Active && op.begun <= gone);
        let seen = runs.map(|(_, op)| op.begun.saturating_sub(rules.view_lag)).last();
        until = until.min(seen.unwrap_or_default());
    }
    (from < until).then_some(Stay { from, until, let_in: first })
}

/// The earliest moment at which a session that runs by `by` can have been claimed.
fn claimed_from(place: &Place<'_, '_>, by: Duration, rules: &Rules) -> Duration {
    let claim = place.ops().find(|op| op.may_claim()).map(|op| op.begun).unwrap_or_default();
    let is_unclaimed = |sight: Sight| matches!(sight, Sight::Waiting | Sight::Called);
    let unclaimed =
        place.sights().filter(|(sight, op)| is_unclaimed(*sight) && op.begun <= by).last();
    unclaimed.map_or(claim, |(_, op)| claim.max(op.begun.saturating_sub(rules.view_lag)))
}
