//! Checks a history against the rules of the queue.

use super::History;
use super::finding::{Findings, Rule, Rules};
use super::index::View;
use super::rules;

/// Checks the rules in O(n log n). An op that has not ended has an unknown outcome.
///
/// # Errors
/// [`Findings`] if a rule was certainly broken.
pub fn check(history: &History, rules: &Rules) -> Result<(), Findings> {
    let records = history.records();
    let view = View::new(&records);
    let mut findings = Findings::default();
    findings.add(Rule::AnswersFit, rules::answers_fit(&view));
    findings.add(Rule::NumbersAreUnique, rules::numbers_are_unique(&view));
    findings.add(Rule::OnePlaceAUser, rules::one_place_a_user(&view, rules));
    findings.add(Rule::OrderOfJoins, rules::order_of_joins(&view));
    findings.add(Rule::OrderOfCalls, rules::order_of_calls(&view, rules));
    findings.add(Rule::CalledForGood, rules::called_for_good(&view, rules));
    findings.add(Rule::PositionsShrink, rules::positions_shrink(&view, rules));
    findings.add(Rule::Limit, rules::limit(&view, rules));
    findings.add(Rule::NobodyForgotten, rules::nobody_forgotten(&view, rules));
    findings.add(Rule::EverybodyCalled, rules::everybody_called(&view, rules));
    findings.add(Rule::GoneForAReason, rules::gone_for_a_reason(&view, rules));
    findings.add(Rule::NothingForged, rules::nothing_forged(&view));
    if findings.total() == 0 { Ok(()) } else { Err(findings) }
}
