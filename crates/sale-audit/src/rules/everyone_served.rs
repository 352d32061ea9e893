//! Every person who joined was served.

use std::collections::BTreeMap;

use crate::AuditSettings;
use crate::request_and_response::{Exchange, RequestKind};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "everybody served";

/// The progress of one person.
#[derive(Default)]
struct Visit<'a> {
    joined: Option<&'a Exchange>,
    last: Option<&'a Exchange>,
    is_let_in: bool,
    has_left: bool,
}

/// Each person with a place was admitted and then left. That also depends on how long the test
/// lasts, so the rule counts cases and judges them only on request.
pub(super) fn check(bounds: &Bounds<'_>, settings: &AuditSettings) -> Property {
    let mut property = Property::new(NAME, "people who joined");
    let mut outside: BTreeMap<&str, u64> = BTreeMap::new();
    for visit in visits(bounds).values() {
        let (Some(joined), Some(last)) = (visit.joined, visit.last) else { continue };
        property.case();
        let why = match (visit.is_let_in, visit.has_left) {
            (true, true) => continue,
            (true, false) => "let in and never left",
            (false, true) => "left and never let in",
            (false, false) => "neither let in nor left",
        };
        *outside.entry(why).or_default() += 1;
        property.violated(bounds.history, why, &[joined, last]);
    }
    for (why, people) in outside {
        property.note(format!("{people} {why}"));
    }
    if settings.all_served { property } else { property.not_asked() }
}

/// Sorted by client, so that examples come in the same order every time.
fn visits<'a>(bounds: &Bounds<'a>) -> BTreeMap<u64, Visit<'a>> {
    let mut visits: BTreeMap<u64, Visit<'_>> = BTreeMap::new();
    for record in bounds.history.records.iter().filter(|record| bounds.history.is_person(record)) {
        let visit = visits.entry(record.client).or_default();
        if record.is(RequestKind::Join, 200) {
            visit.joined = visit.joined.or(Some(record));
        }
        visit.is_let_in |= record.is(RequestKind::Dates, 200);
        visit.has_left |= record.is(RequestKind::Leave, 204);
        if visit.last.is_none_or(|last| last.answered <= record.answered) {
            visit.last = Some(record);
        }
    }
    visits
}
