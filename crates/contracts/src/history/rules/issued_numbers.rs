//! The numbers that joins return.

use domain::queue::QueueNumber;

use crate::history::finding::Breach;
use crate::history::index::{Frontier, View};
use crate::history::{Invocation, Record, Rules};

/// No number is given to two users, at any time. O(n).
pub(in crate::history) fn numbers_are_unique<'a>(view: &View<'a>) -> Vec<Breach<'a>> {
    let mut first: Option<(QueueNumber, &Record)> = None;
    let mut breaches = Vec::new();
    for place in view.places() {
        let Some(join) = place.joins().next() else { continue };
        match first {
            Some((number, other)) if number == place.number => {
                breaches.push(Breach::between(other, join));
            }
            _ => first = Some((place.number, join)),
        }
    }
    breaches
}

/// A user gets another number only if the place they held may have ended in between, and a user's
/// numbers only grow. O(n log n).
pub(in crate::history) fn one_place_a_user<'a>(view: &View<'a>, rules: &Rules) -> Vec<Breach<'a>> {
    let mut breaches = Vec::new();
    for joins in view.joins_by_user() {
        let held = numbers_held(joins);
        for pair in held.windows(2) {
            let [lower, higher] = pair else { continue };
            let (since, by) = (lower.last.begun, higher.first.over());
            let place = view.place(lower.number, lower.last.requested.user());
            if since > by {
                breaches.push(Breach::between(higher.first, lower.last));
            } else if !place.may_end_between(since, by, rules) {
                breaches.push(Breach::between(lower.last, higher.first));
            }
        }
    }
    breaches
}

/// The time in which a user was seen to hold a number.
struct Held<'a> {
    number: QueueNumber,
    /// The join that ended first: the number was held when it ended.
    first: &'a Record,
    /// The join that began last: the number was held at its begin or later.
    last: &'a Record,
}

/// The numbers that a user's joins returned, in ascending order. `FindAgain` has a rule of its own.
fn numbers_held<'a>(joins: &[&'a Record]) -> Vec<Held<'a>> {
    let is_join = |op: &&&Record| matches!(op.requested, Invocation::Join { .. });
    let reported = joins.iter().filter(is_join).filter_map(|op| Some((op.reported_number()?, *op)));
    let mut reported: Vec<(QueueNumber, &Record)> = reported.collect();
    reported.sort_by_key(|(number, _)| *number);
    let numbers = reported.chunk_by(|(a, _), (b, _)| a == b);
    let held = numbers.filter_map(|reported| {
        let (number, last) = *reported.last()?;
        let (_, first) = *reported.iter().min_by_key(|(_, op)| op.over())?;
        Some(Held { number, first, last })
    });
    held.collect()
}

/// A user who cannot have joined before another user got a number gets a higher one. O(n log n).
///
/// The number may come from an earlier join of the same user whose outcome is unknown.
pub(in crate::history) fn order_of_joins<'a>(view: &View<'a>) -> Vec<Breach<'a>> {
    let reported = view.ops().filter_map(|op| Some((op.over(), op.reported_number()?, op)));
    let highest = Frontier::new(reported.collect());
    let mut breaches = Vec::new();
    for place in view.places() {
        let (Some(given_from), Some(join)) = (place.given_from(), place.joins().next()) else {
            continue;
        };
        if let Some((number, earlier)) = highest.before(given_from)
            && number > place.number
        {
            breaches.push(Breach::between(earlier, join));
        }
    }
    breaches
}
