//! People are called in the order of their numbers, and `serving` never goes back.

use crate::request_and_response::{Exchange, State};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "order of calling";

/// If one answer shows that a number had been reached, no later answer may report a lower
/// `serving`. If another node may answer from its view, later means `stale_after` later. So no
/// waiting person has been overtaken.
///
/// A position is at most the number, and 0 once called.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "looks at the line");
    for fact in &bounds.not_passed {
        property.case();
        let before = bounds.reached.partition_point(|reached| reached.by <= fact.known);
        let Some(reached) = before.checked_sub(1).and_then(|last| bounds.reached.get(last)) else {
            continue;
        };
        if reached.mark > fact.most {
            let (mark, most) = (reached.mark, fact.most);
            let why = format!("{mark} had been called, then no more than {most}");
            property.violated(bounds.history, &why, &[reached.shown_by, fact.shown_by]);
        }
    }
    for record in bounds.history.records.iter().filter(|record| record.tells_place()) {
        if !adds_up(record) {
            property.violated(bounds.history, "an impossible position", &[record]);
        }
    }
    property
}

fn adds_up(record: &Exchange) -> bool {
    let Some(position) = record.position else { return true };
    match record.state {
        Some(State::Waiting) => position <= record.number,
        Some(State::Called | State::Active | State::Expired) => position == 0,
        None => true,
    }
}
