//! Places that must exist at the end, and reasons for places to end.

use crate::history::finding::Breach;
use crate::history::index::View;
use crate::history::op::Observation;
use crate::history::{Completion, Invocation, Record, Rules};

/// A user whose place cannot have ended gets the same number from their last `FindAgain`. Users
/// without such a call, or with an unknown outcome for it, are not checked. O(n log n).
pub(in crate::history) fn nobody_forgotten<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    for joins in view.joins_by_user() {
        let mut searches =
            joins.iter().copied().filter(|op| matches!(op.requested, Invocation::FindAgain { .. }));
        let Some(search) = searches.next_back() else { continue };
        let Some(held) = last_held(joins.iter().copied().filter(|op| op.over() < search.begun))
        else {
            continue;
        };
        let Some((number, user)) = held.place() else { continue };
        let is_found =
            search.reported == Completion::Unknown || search.reported_number() == Some(number);
        if !is_found && !view.place(number, user).may_end_between(held.begun, search.over(), rules)
        {
            breaches.push(Breach::between(held, search));
        }
    }
    breaches
}

/// In a drained queue, every user has been seen called with their last number, unless they may have
/// left or their place was reported gone. O(n log n).
pub(in crate::history) fn everybody_called<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    if !rules.is_drained {
        return breaches;
    }
    for joins in view.joins_by_user() {
        let Some(held) = last_held(joins.iter().copied()) else { continue };
        let Some((number, user)) = held.place() else { continue };
        let place = view.place(number, user);
        let is_through = place.sights().any(|(observation, _)| observation != Observation::Waiting);
        if !is_through && place.left_from().is_none() {
            breaches.push(Breach::of(held));
        }
    }
    breaches
}

/// If places survive, a place is reported gone only if its user may have left by then or the place
/// may have expired. O(n).
pub(in crate::history) fn gone_for_a_reason<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    if !rules.places_survive {
        return breaches;
    }
    for place in view.places() {
        // The op that ended first: any reason that explains it also explains all later ones.
        let gone = place.sights().filter(|(observation, _)| *observation == Observation::Gone);
        let Some((_, gone)) = gone.min_by_key(|(_, op)| op.over()) else { continue };
        let Some(join) = place.joins().next() else { continue };
        if !place.may_be_left_by(gone.over()) && !place.may_lapse_by(gone.over(), rules) {
            breaches.push(Breach::between(join, gone));
        }
    }
    breaches
}

/// The last join, `FindAgain` excluded, that returned the user's highest number. Numbers only grow.
fn last_held<'a>(joins: impl Iterator<Item = &'a Record>) -> Option<&'a Record> {
    let before = joins.filter(|op| {
        matches!(op.requested, Invocation::Join { .. }) && op.reported_number().is_some()
    });
    before.max_by_key(|op| op.reported_number())
}
