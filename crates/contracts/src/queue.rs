//! The rules of [`QueueStore`](domain::queue::QueueStore), numbered as in its documentation.

mod admission;
mod endings;
mod joining;
mod recovery;
mod refusals;
mod scenario;
mod visitors;

pub use admission::*;
pub use endings::*;
pub use joining::*;
pub use recovery::*;
pub use refusals::*;
pub use scenario::{QueueFixture, QueueHarness};
pub use visitors::*;

use futures_util::future::BoxFuture;

use crate::RuleResult;

/// The macro behind [`queue_contract`](crate::queue_contract); calls back with the name of every
/// rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_queue_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_gives_no_number_twice
            rule_2_gives_a_returning_user_the_same_number
            rule_2_gives_one_user_one_number_under_concurrency
            rule_2_gives_a_fresh_number_once_a_place_has_ended
            rule_2_finds_the_place_of_a_token
            rule_3_calls_people_in_the_order_of_their_numbers
            rule_4_never_admits_more_than_max_active
            rule_5_keeps_every_window_within_its_budget
            rule_5_saves_no_more_than_one_batch
            rule_5_calls_a_join_in_an_empty_queue_at_once
            rule_5_uses_the_whole_budget_while_people_wait
            rule_6_a_call_lapses_and_frees_its_slot
            rule_6_a_session_ends_and_frees_its_slot
            rule_6_leaving_frees_the_slot_at_the_next_call
            rule_6_leaving_while_waiting_uses_no_budget
            rule_7_only_the_holder_can_leave
            rule_8_admits_only_called_users
            rule_8_claims_a_call_once_under_concurrency
            rule_8_gives_a_user_one_session
            rule_9_distinguishes_every_refusal
            rule_9_a_full_queue_still_finds_its_holders
            rule_9_counts_people_against_the_limit
            the_outcomes_count_each_end_once
            floors_raise_the_queue_and_never_lower_it
            new_numbers_do_not_exceed_the_ceiling
            checkpoints_are_applied_once
            visitors_do_not_block_joins
            one_incarnation_is_adopted_within_a_short_time
            rule_3_calls_token_holders_in_order
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! queue_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::run_rule($crate::queue::$rule(&$fixture)) {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`QueueStore`](domain::queue::QueueStore), on a
/// [`QueueFixture`].
#[macro_export]
macro_rules! queue_contract {
    ($fixture:expr) => {
        $crate::for_each_queue_rule! { queue_tests!($fixture) }
    };
}

/// A rule of this port.
pub type QueueRule = for<'a> fn(&'a dyn QueueFixture) -> BoxFuture<'a, RuleResult>;

#[doc(hidden)]
#[macro_export]
macro_rules! queue_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, QueueRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_queue_rule! { queue_table!() }
