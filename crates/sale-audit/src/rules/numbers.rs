//! No number belongs to two users, and no place changes its number.

use std::collections::{HashMap, HashSet};

use crate::facts::Facts;
use crate::record::{Record, What};
use crate::verdict::Property;

pub(super) const NAME: &str = "no number twice";

/// No number is returned to two users. A user with a place gets its number from every join, so two
/// different numbers for one user need an end of a place between them: of the first if one join
/// follows the other, of either if they overlap. A status query returns a number that a join
/// returned before.
pub(super) fn numbers(facts: &Facts<'_>) -> Property {
    let mut property = Property::new(NAME, "numbers told");
    one_user_a_number(facts, &mut property);
    let mut by_user: HashMap<u64, Vec<&Record>> = HashMap::new();
    for join in facts.history.records.iter().filter(|record| record.is(What::Join, 200)) {
        by_user.entry(join.user).or_default().push(join);
    }
    for joins in by_user.values_mut() {
        joins.sort_by_key(|join| (join.sent, join.answered));
        one_number_a_user(facts, joins, &mut property);
    }
    asked_as_joined(facts, &by_user, &mut property);
    property
}

fn one_user_a_number(facts: &Facts<'_>, property: &mut Property) {
    let mut holders: HashMap<u64, &Record> = HashMap::new();
    for record in facts.history.records.iter().filter(|record| record.tells_place()) {
        property.case();
        let holder = holders.entry(record.number).or_insert(record);
        if holder.user != record.user {
            property.violated(facts.history, "one number, two users", &[holder, record]);
        }
    }
}

fn one_number_a_user(facts: &Facts<'_>, joins: &[&Record], property: &mut Property) {
    for pair in joins.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        if first.number == second.number {
            continue;
        }
        let later = if first.answered > second.answered { first } else { second };
        let is_over = |join: &Record| facts.may_be_over(join.number, later);
        let may_be = is_over(first) || !first.precedes(second) && is_over(second);
        if !may_be {
            property.violated(facts.history, "one place, two numbers", &[first, second]);
        }
    }
}

fn asked_as_joined(
    facts: &Facts<'_>,
    by_user: &HashMap<u64, Vec<&Record>>,
    property: &mut Property,
) {
    let joins = by_user.values().flatten();
    let reported: HashSet<(u64, u64)> = joins.map(|join| (join.user, join.number)).collect();
    for request in facts.history.records.iter().filter(|record| record.is(What::Ask, 200)) {
        let Some(joins) = by_user.get(&request.user) else { continue };
        if !reported.contains(&(request.user, request.number)) {
            property.violated(facts.history, "no join returned this number", &[joins[0], request]);
        }
    }
}
