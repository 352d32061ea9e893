//! The checks: each walks the indexed history once and reports the ops that break its rule. `n` is
//! the number of ops.

mod calls;
mod endings;
mod joins;
mod limit;

pub(super) use calls::{called_for_good, nothing_forged, order_of_calls, positions_shrink};
pub(super) use endings::{everybody_called, gone_for_a_reason, nobody_forgotten};
pub(super) use joins::{numbers_are_unique, one_place_a_user, order_of_joins};
pub(super) use limit::limit;

use super::finding::Breach;
use super::view::View;

/// Every response is possible for its invocation. O(n).
pub(super) fn answers_fit<'a>(view: &View<'a>) -> Vec<Breach<'a>> {
    view.ops().filter(|op| !op.fits()).map(Breach::of).collect()
}
