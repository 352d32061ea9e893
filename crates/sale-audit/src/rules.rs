//! The properties, each checked in one pass; `n` records cost O(n log n).

mod admissions;
mod call_order;
mod call_rate;
mod everyone_served;
mod forged_tokens;
mod join_order;
mod max_active;
mod unique_numbers;
mod wrongful_refusals;

use super::serving_bounds::Bounds;
use super::verdict::Property;
use crate::settings::AuditSettings;

pub(super) fn all(bounds: &Bounds<'_>, settings: &AuditSettings) -> Vec<Property> {
    vec![
        unique_numbers::check(bounds),
        join_order::check(bounds),
        call_order::check(bounds),
        max_active::check(bounds, settings),
        admissions::check(bounds),
        wrongful_refusals::check(bounds),
        forged_tokens::check(bounds),
        call_rate::check(bounds, settings),
        everyone_served::check(bounds, settings),
    ]
}
