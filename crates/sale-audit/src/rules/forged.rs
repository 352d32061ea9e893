//! Forged tokens and junk are refused.

use crate::facts::Facts;
use crate::record::{Record, What};
use crate::verdict::Property;

pub(super) const NAME: &str = "forged and junk refused";

/// A forged token is answered with 401, unless the service had no capacity (429, 503) or gave no
/// answer. Junk is never answered with success or 500.
pub(super) fn forged(facts: &Facts<'_>) -> Property {
    let mut property = Property::new(NAME, "forged and junk requests");
    let (mut forged, mut junk) = (0, 0);
    for record in &facts.history.records {
        let is_junk = record.what == What::Junk;
        if !record.is_forged && !is_junk {
            continue;
        }
        property.case();
        junk += usize::from(is_junk);
        forged += usize::from(!is_junk);
        if !is_refused(record) {
            property.violated(facts.history, "not refused as it must be", &[record]);
        }
    }
    property.note(format!("{forged} forged, {junk} junk"));
    property
}

fn is_refused(record: &Record) -> bool {
    if record.what == What::Junk {
        !matches!(record.status, 200..=299 | 500)
    } else {
        matches!(record.status, 0 | 401 | 429 | 503)
    }
}
