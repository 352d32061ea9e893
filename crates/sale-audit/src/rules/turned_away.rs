//! No person with a valid place is refused.

use crate::facts::Facts;
use crate::record::{Record, What};
use crate::verdict::Property;

pub(super) const NAME: &str = "nobody called is turned away";

/// While a place is certainly valid (see [`Facts::stands`]), called or not, no answer reports its
/// end, and its token is accepted. Once an answer to any client has shown its number as called and
/// every view must have caught up, its person is admitted. Requests without an answer, or refused
/// for lack of capacity, are counted and not judged.
pub(super) fn turned_away(facts: &Facts<'_>) -> Property {
    let mut property = Property::new(NAME, "requests of people whose turn had come");
    let mut unanswered = 0;
    for record in
        facts.history.records.iter().filter(|record| !record.is_forged && record.number != 0)
    {
        let is_dates = record.what == What::Dates;
        let lag = if record.status == 403 { facts.lag } else { 0 };
        let called =
            facts.called(record.number).filter(|fact| fact.by.saturating_add(lag) <= record.sent);
        if is_dates && called.is_some() {
            property.case();
            unanswered += usize::from(record.is_unanswered());
        }
        let is_refused = is_dates
            && (record.status == 401
                || record.status == 403 && !record.is_stale && called.is_some());
        let is_over = record.shows_end() && record.what != What::Leave;
        if (is_refused || is_over) && facts.stands(record.number, record) {
            property.violated(facts.history, why(record), &shown_by(facts, record));
        }
    }
    property.note(format!("{unanswered} not answered"));
    property
}

fn why(record: &Record) -> &'static str {
    match record.status {
        401 => "a valid token is refused",
        403 => "called, and refused as waiting",
        _ => "a valid place is reported as over",
    }
}

fn shown_by<'a>(facts: &Facts<'a>, record: &'a Record) -> Vec<&'a Record> {
    let called = facts.called(record.number).filter(|fact| fact.by <= record.sent);
    let given = facts.places.get(&record.number).and_then(|place| place.given_in);
    called.map(|fact| fact.shown_by).or(given).into_iter().chain([record]).collect()
}
