//! Forged tokens and junk are refused.

use crate::request_and_response::{Exchange, RequestKind};
use crate::serving_bounds::Bounds;
use crate::verdict::Property;

pub(super) const NAME: &str = "forged and junk refused";

/// A forged token is answered with 401, unless the service had no capacity (429, 503) or gave no
/// answer. Junk is never answered with success or 500.
pub(super) fn check(bounds: &Bounds<'_>) -> Property {
    let mut property = Property::new(NAME, "forged and junk requests");
    let (mut forged, mut junk) = (0, 0);
    for record in &bounds.history.records {
        let is_junk = record.what == RequestKind::Junk;
        if !record.is_forged && !is_junk {
            continue;
        }
        property.case();
        junk += usize::from(is_junk);
        forged += usize::from(!is_junk);
        if !is_refused(record) {
            property.violated(bounds.history, "not refused as it must be", &[record]);
        }
    }
    property.note(format!("{forged} forged, {junk} junk"));
    property
}

fn is_refused(record: &Exchange) -> bool {
    if record.what == RequestKind::Junk {
        !matches!(record.status, 200..=299 | 500)
    } else {
        matches!(record.status, 0 | 401 | 429 | 503)
    }
}
