//! The checks: each walks the indexed history once and reports the ops that break its rule. `n` is
//! the number of ops.

mod call_order;
mod ends_of_places;
mod issued_numbers;
mod max_sessions;

pub(super) use call_order::{called_for_good, nothing_forged, order_of_calls, positions_shrink};
pub(super) use ends_of_places::{everybody_called, gone_for_a_reason, nobody_forgotten};
pub(super) use issued_numbers::{numbers_are_unique, one_place_a_user, order_of_joins};
pub(super) use max_sessions::limit;

use super::finding::Breach;
use super::index::View;

/// Every response is possible for its invocation. O(n).
pub(super) fn answers_fit<'a>(view: &View<'a>) -> Vec<Breach<'a>> {
    view.ops().filter(|op| !op.fits()).map(Breach::of).collect()
}
