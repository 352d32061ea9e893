//! No person with a valid place is refused.

use crate::request_and_response::{Exchange, RequestKind};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "nobody called is turned away";

/// While a place is certainly valid (see [`Bounds::stands`]), called or not, no answer reports its
/// end, and its token is accepted. Once an answer to any client has shown its number as called and
/// every view must have caught up, its person is admitted. Requests without an answer, or refused
/// for lack of capacity, are counted and not judged.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "requests of people whose turn had come");
    let mut unanswered = 0;
    for record in
        bounds.history.records.iter().filter(|record| !record.is_forged && record.number != 0)
    {
        let is_dates = record.what == RequestKind::Dates;
        let lag = if record.status == 403 { bounds.lag } else { 0 };
        let called =
            bounds.called(record.number).filter(|fact| fact.by.saturating_add(lag) <= record.sent);
        if is_dates && called.is_some() {
            property.case();
            unanswered += usize::from(record.is_unanswered());
        }
        let is_refused = is_dates
            && (record.status == 401
                || record.status == 403 && !record.is_stale && called.is_some());
        let is_over = record.shows_end() && record.what != RequestKind::Leave;
        if (is_refused || is_over) && bounds.stands(record.number, record) {
            property.violated(bounds.history, why(record), &shown_by(bounds, record));
        }
    }
    property.note(format!("{unanswered} not answered"));
    property
}

fn why(record: &Exchange) -> &'static str {
    match record.status {
        401 => "a valid token is refused",
        403 => "called, and refused as waiting",
        _ => "a valid place is reported as over",
    }
}

fn shown_by<'a>(bounds: &Bounds<'a>, record: &'a Exchange) -> Vec<&'a Exchange> {
    let called = bounds.called(record.number).filter(|fact| fact.by <= record.sent);
    let given = bounds.places.get(&record.number).and_then(|place| place.given_in);
    called.map(|fact| fact.shown_by).or(given).into_iter().chain([record]).collect()
}
