//! No number belongs to two users, and no place changes its number.

use std::collections::{HashMap, HashSet};

use crate::request_and_response::{Exchange, RequestKind};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "no number twice";

/// No number is returned to two users. A user with a place gets its number from every join, so two
/// different numbers for one user need an end of a place between them: of the first if one join
/// follows the other, of either if they overlap. A status query returns a number that a join
/// returned before.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "numbers told");
    one_user_a_number(bounds, &mut property);
    let mut by_user: HashMap<u64, Vec<&Exchange>> = HashMap::new();
    for join in bounds.history.records.iter().filter(|record| record.is(RequestKind::Join, 200)) {
        by_user.entry(join.user).or_default().push(join);
    }
    for joins in by_user.values_mut() {
        joins.sort_by_key(|join| (join.sent, join.answered));
        one_number_a_user(bounds, joins, &mut property);
    }
    asked_as_joined(bounds, &by_user, &mut property);
    property
}

fn one_user_a_number(bounds: &Bounds<'_>, property: &mut Property) {
    let mut holders: HashMap<u64, &Exchange> = HashMap::new();
    for record in bounds.history.records.iter().filter(|record| record.tells_place()) {
        property.case();
        let holder = holders.entry(record.number).or_insert(record);
        if holder.user != record.user {
            property.violated(bounds.history, "one number, two users", &[holder, record]);
        }
    }
}

fn one_number_a_user(bounds: &Bounds<'_>, joins: &[&Exchange], property: &mut Property) {
    for pair in joins.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if first.number == second.number {
            continue;
        }
        let later = if first.answered > second.answered { first } else { second };
        let is_over = |join: &Exchange| bounds.may_be_over(join.number, later);
        let may_be = is_over(first) || !first.precedes(second) && is_over(second);
        if !may_be {
            property.violated(bounds.history, "one place, two numbers", &[first, second]);
        }
    }
}

fn asked_as_joined(
    bounds: &Bounds<'_>,
    by_user: &HashMap<u64, Vec<&Exchange>>,
    property: &mut Property,
) {
    let joins = by_user.values().flatten();
    let reported: HashSet<(u64, u64)> = joins.map(|join| (join.user, join.number)).collect();
    for request in bounds.history.records.iter().filter(|record| record.is(RequestKind::Ask, 200)) {
        let Some(joins) = by_user.get(&request.user) else { continue };
        if !reported.contains(&(request.user, request.number)) {
            property.violated(bounds.history, "no join returned this number", &[joins[0], request]);
        }
    }
}
