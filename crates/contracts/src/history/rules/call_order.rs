//! The order of calls, and the answers that users get before they are called.

use std::cmp::Reverse;

use crate::history::finding::Breach;
use crate::history::index::{Frontier, View};
use crate::history::op::Observation;
use crate::history::{Record, Rules};

/// Once a number was seen called, no lower number is seen waiting by an op that began more than
/// `view_lag` later, unless its user may have left by then. O(n log n).
pub(in crate::history) fn order_of_calls<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let called = view.ops().filter(|op| op.observation().is_some_and(Observation::is_called));
    let known = called.filter_map(|op| {
        Some((op.over().saturating_add(rules.view_lag), op.requested.number()?, op))
    });
    let highest = Frontier::new(known.collect());
    let mut breaches = Vec::new();
    for place in view.places() {
        let left_from = place.left_from();
        for (_, op) in
            place.sights().filter(|(observation, _)| *observation == Observation::Waiting)
        {
            if let Some((number, earlier)) = highest.before(op.begun)
                && number > place.number
                && left_from.is_none_or(|left| left > op.over())
            {
                breaches.push(Breach::between(earlier, op));
            }
        }
    }
    breaches
}

/// A place that was seen called is not seen waiting by an op that began more than `view_lag` later.
/// O(n).
pub(in crate::history) fn called_for_good<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    for place in view.places() {
        let called = place.sights().filter(|(observation, _)| observation.is_called());
        let Some((_, called)) = called.min_by_key(|(_, op)| op.over()) else { continue };
        let known = called.over().saturating_add(rules.view_lag);
        let again = place
            .sights()
            .filter(|(observation, op)| *observation == Observation::Waiting && op.begun > known);
        breaches.extend(again.map(|(_, op)| Breach::between(called, op)));
    }
    breaches
}

/// A position exceeds no position reported more than `view_lag` earlier by more than
/// `position_slack`. O(n log n).
pub(in crate::history) fn positions_shrink<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let position = |op: &'a Record| Some((op.reported_position()?, op));
    let mut breaches = Vec::new();
    for place in view.places() {
        let reported = place.ops().filter_map(position);
        let known = reported.map(|(position, op)| {
            (op.over().saturating_add(rules.view_lag), Reverse(position), op)
        });
        let lowest = Frontier::new(known.collect());
        for (position, op) in place.ops().filter_map(position) {
            if let Some((Reverse(lower), earlier)) = lowest.before(op.begun)
                && position > lower.saturating_add(rules.position_slack)
            {
                breaches.push(Breach::between(earlier, op));
            }
        }
    }
    breaches
}

/// A user is admitted only with a number that was given to them: a join that began before the
/// admission ended returned it. O(n).
pub(in crate::history) fn nothing_forged<'a>(view: &View<'a>) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    for place in view.places() {
        let reported = place.joins().next().map(|join| join.begun);
        let admissions = place.ops().filter(|op| op.admission_time().is_some());
        let forged = admissions.filter(|op| reported.is_none_or(|reported| reported > op.over()));
        breaches.extend(forged.map(Breach::of));
    }
    breaches
}
