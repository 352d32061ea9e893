//! Every person who joined was served.

use std::collections::BTreeMap;

use crate::Limits;
use crate::facts::Facts;
use crate::record::{Record, What};
use crate::verdict::Property;

pub(super) const NAME: &str = "everybody served";

/// The progress of one person.
#[derive(Default)]
struct Visit<'a> {
    joined: Option<&'a Record>,
    last: Option<&'a Record>,
    is_let_in: bool,
    has_left: bool,
}

/// Each person with a place was admitted and then left. That also depends on how long the test
/// lasts, so the rule counts cases and judges them only on request.
pub(super) fn served(facts: &Facts<'_>, limits: &Limits) -> Property {
    let mut property = Property::new(NAME, "people who joined");
    let mut outside: BTreeMap<&str, u64> = BTreeMap::new();
    for visit in visits(facts).values() {
        let (Some(joined), Some(last)) = (visit.joined, visit.last) else { continue };
        property.case();
        let why = match (visit.is_let_in, visit.has_left) {
            (true, true) => continue,
            (true, false) => "let in and never left",
            (false, true) => "left and never let in",
            (false, false) => "neither let in nor left",
        };
        *outside.entry(why).or_default() += 1;
        property.violated(facts.history, why, &[joined, last]);
    }
    for (why, people) in outside {
        property.note(format!("{people} {why}"));
    }
    if limits.all_served { property } else { property.not_asked() }
}

/// Sorted by client, so that examples come in the same order every time.
fn visits<'a>(facts: &Facts<'a>) -> BTreeMap<u64, Visit<'a>> {
    let mut visits: BTreeMap<u64, Visit<'_>> = BTreeMap::new();
    for record in facts.history.records.iter().filter(|record| facts.history.is_person(record)) {
        let visit = visits.entry(record.client).or_default();
        if record.is(What::Join, 200) {
            visit.joined = visit.joined.or(Some(record));
        }
        visit.is_let_in |= record.is(What::Dates, 200);
        visit.has_left |= record.is(What::Leave, 204);
        if visit.last.is_none_or(|last| last.answered <= record.answered) {
            visit.last = Some(record);
        }
    }
    visits
}
