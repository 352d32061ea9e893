//! The number of active people never exceeds the limit.

use std::cmp::Ordering;

use crate::AuditSettings;
use crate::request_and_response::{Exchange, Millis};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "never more active than allowed";

/// A person who certainly held a slot from one moment to another, both included.
struct Held<'a> {
    from: Millis,
    to: Millis,
    shown_by: &'a Exchange,
}

/// A called number holds a slot until its call lapses or its session ends, and never gets one
/// again. So it certainly held one from the first answer to any client that shows it as called,
/// until the start of the last request whose answer shows its slot: called or active, dates, or a
/// successful leave. Another node may learn of a leave a little later, so a slot stops counting at
/// the first moment at which it may have been released.
pub(super) fn check(bounds: &Bounds<'_>, settings: &AuditSettings) -> Property {
    let mut property = Property::new(NAME, "slots held for some time");
    let mut starts: Vec<Held<'_>> = held(bounds);
    starts.sort_by_key(|held| held.from);
    let mut ends: Vec<Millis> = starts.iter().map(|held| held.to).collect();
    ends.sort_unstable();
    let allowed =
        settings.max_active.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let (mut over, mut most) = (0, 0);
    for (begun, held) in starts.iter().enumerate() {
        property.case();
        while ends.get(over).is_some_and(|end| end.cmp(&held.from) == Ordering::Less) {
            over += 1;
        }
        let inside = begun + 1 - over;
        most = most.max(inside);
        if inside > allowed {
            let why = format!("{inside} inside at {}, of {allowed}", held.from);
            property.violated(bounds.history, &why, &[held.shown_by]);
        }
    }
    property.note(format!("certainly {most} at once"));
    if settings.max_active.is_some() { property } else { property.not_asked() }
}

fn held<'a>(bounds: &Bounds<'a>) -> Vec<Held<'a>> {
    let held = bounds.places.iter().filter_map(|(&number, place)| {
        let shown_by = place.held_in?;
        let from = bounds.called(number)?.by;
        let to = place.left_from.map_or(shown_by.sent, |left| left.min(shown_by.sent));
        (from <= to).then_some(Held { from, to, shown_by })
    });
    held.collect()
}
