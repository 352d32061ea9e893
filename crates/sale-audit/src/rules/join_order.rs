//! A later join gets a higher number.

use crate::request_and_response::{Exchange, Millis};
use crate::serving_bounds::{Bounds, Place};
use crate::verdict::Property;

pub(super) const NAME: &str = "order of joining";

/// An assigned number and its bounds in time: it was assigned in this join or before, but not
/// before `from`.
struct Given<'a> {
    number: u64,
    from: Millis,
    join: &'a Exchange,
}

/// If one number was returned before any join began that can have assigned the other, the first is
/// lower. Overlapping joins have no required order; the report notes by how much their answers may
/// have come in the wrong order.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "places given");
    let mut begun: Vec<Given<'_>> = bounds.places.iter().filter_map(given).collect();
    begun.sort_by_key(|given| (given.from, given.number));
    in_order(bounds, &begun, &mut property);
    let inversion = largest_inversion(&mut begun);
    property
        .note(format!("a smaller number was answered up to {inversion} ms after a greater one"));
    property
}

fn given<'a>((&number, place): (&u64, &Place<'a>)) -> Option<Given<'a>> {
    place.given_in.map(|join| Given { number, from: place.given_from, join })
}

fn in_order(bounds: &Bounds<'_>, begun: &[Given<'_>], property: &mut Property) {
    let mut reported: Vec<&Given<'_>> = begun.iter().collect();
    reported.sort_by_key(|given| given.join.answered);
    let mut reported = reported.into_iter().peekable();
    let mut highest: Option<&Given<'_>> = None;
    for later in begun {
        property.case();
        while let Some(earlier) = reported.next_if(|earlier| earlier.join.by() <= later.from) {
            if highest.is_none_or(|highest| earlier.number > highest.number) {
                highest = Some(earlier);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| earlier.number > later.number) {
            let shown_by = [earlier.join, later.join];
            property.violated(bounds.history, "joined later, with a lower number", &shown_by);
        }
    }
}

fn largest_inversion(begun: &mut [Given<'_>]) -> Millis {
    begun.sort_by_key(|given| std::cmp::Reverse(given.number));
    let (mut largest, mut first_above) = (0, Millis::MAX);
    for given in &*begun {
        largest = largest.max(given.join.answered.saturating_sub(first_above));
        first_above = first_above.min(given.join.answered);
    }
    largest
}
