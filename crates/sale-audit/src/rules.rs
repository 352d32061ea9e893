//! The properties, each checked in one pass; `n` records cost O(n log n).

mod active;
mod entry;
mod forged;
mod joins;
mod numbers;
mod rate;
mod served;
mod serving;
mod turned_away;

use super::facts::Facts;
use super::verdict::Property;
use crate::limits::Limits;

pub(super) fn all(facts: &Facts<'_>, limits: &Limits) -> Vec<Property> {
    vec![
        numbers::numbers(facts),
        joins::joins(facts),
        serving::serving(facts),
        active::active(facts, limits),
        entry::entry(facts),
        turned_away::turned_away(facts),
        forged::forged(facts),
        rate::rate(facts, limits),
        served::served(facts, limits),
    ]
}
