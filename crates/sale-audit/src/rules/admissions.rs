//! Only people who were called, and have not left, are admitted.

use crate::request_and_response::{Exchange, Millis, RequestKind};
use crate::serving_bounds::{Bounds, UpperBound};
use crate::verdict::Property;

pub(super) const NAME: &str = "nobody let in who was not called";

/// An admitted person had been called. So no later answer, once every view must have caught up, may
/// report that the queue has not reached that number; the person's own next requests are among
/// those answers. A released place admits no one once every node must have learned of the release,
/// and neither does a forged token.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "times let in");
    let (known, lowest) = lowest_from(&bounds.not_passed);
    let granted = |record: &&Exchange| record.what == RequestKind::Dates && record.status == 200;
    for record in bounds.history.records.iter().filter(granted) {
        property.case();
        if record.is_forged {
            property.violated(bounds.history, "admitted with a forged token", &[record]);
            continue;
        }
        let after = known.partition_point(|&known| known < record.by());
        if let Some(fact) = lowest.get(after).filter(|fact| fact.most < record.number) {
            property.violated(
                bounds.history,
                "admitted, and not called yet",
                &[record, fact.shown_by],
            );
        }
        let left = bounds.places.get(&record.number).and_then(|place| place.left_in);
        if let Some(left) = left.filter(|left| left.by().saturating_add(bounds.lag) <= record.sent)
        {
            property.violated(bounds.history, "admitted after leaving", &[left, record]);
        }
    }
    property
}

/// The upper bounds of `serving` sorted by `known`, and for each the lowest of it and all later
/// ones.
fn lowest_from<'f, 'a>(bounds: &'f [UpperBound<'a>]) -> (Vec<Millis>, Vec<&'f UpperBound<'a>>) {
    let mut lowest: Vec<&UpperBound<'_>> = bounds.iter().collect();
    lowest.sort_by_key(|fact| fact.known);
    let known = lowest.iter().map(|fact| fact.known).collect();
    for at in (1..lowest.len()).rev() {
        if lowest[at].most < lowest[at - 1].most {
            lowest[at - 1] = lowest[at];
        }
    }
    (known, lowest)
}
