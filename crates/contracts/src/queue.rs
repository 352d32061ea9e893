//! The rules of [`QueueStore`](domain::queue::QueueStore), by the number of the rule in its documentation.

mod admission;
mod endings;
mod joining;
mod recovery;
mod refusals;
mod visitors;
mod world;

pub use admission::*;
pub use endings::*;
pub use joining::*;
pub use recovery::*;
pub use refusals::*;
pub use visitors::*;
pub use world::{QueueFixture, QueueWorld};

use futures_util::future::BoxFuture;

use crate::Verdict;

/// The macro behind [`queue_contract`](crate::queue_contract); calls back with the name of every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_queue_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_gives_no_number_twice
            rule_2_gives_a_returning_user_the_same_number
            rule_2_gives_one_user_one_number_whatever_races
            rule_2_gives_a_fresh_number_once_a_place_has_ended
            rule_2_finds_the_place_of_a_token
            rule_3_calls_people_in_the_order_of_their_numbers
            rule_4_never_lets_in_more_than_max_active
            rule_5_keeps_every_window_within_its_budget
            rule_5_saves_no_more_than_one_batch
            rule_5_calls_a_newcomer_to_an_empty_line_at_once
            rule_5_uses_the_whole_budget_while_people_wait
            rule_6_a_call_lapses_and_frees_its_slot
            rule_6_a_session_ends_and_frees_its_slot
            rule_6_giving_back_frees_the_slot_at_the_next_call
            rule_6_a_place_given_back_while_waiting_costs_nothing
            rule_7_takes_a_place_back_from_its_holder_only
            rule_8_lets_nobody_in_who_was_not_called
            rule_8_claims_a_call_once_whatever_races
            rule_8_lets_nobody_in_twice
            rule_9_tells_every_refusal_apart
            rule_9_refuses_a_full_line_but_not_its_holders
            rule_9_counts_people_against_the_limit
            the_tally_counts_each_end_once
            floors_raise_the_line_and_never_lower_it
            ceilings_are_not_passed_by_new_numbers
            checkpoints_are_taken_in_once
            visitors_close_no_joins
            one_incarnation_is_adopted_in_a_short_time
            rule_3_calls_those_who_show_tokens_in_their_order
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! queue_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[$crate::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "contracts::tokio")]
        async fn $rule() {
            if let Err(violation) = $crate::queue::$rule(&$fixture).await {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`QueueStore`](domain::queue::QueueStore), on a [`QueueFixture`].
#[macro_export]
macro_rules! queue_contract {
    ($fixture:expr) => {
        $crate::for_each_queue_rule! { queue_tests!($fixture) }
    };
}

/// A rule of this port.
pub type QueueRule = for<'a> fn(&'a dyn QueueFixture) -> BoxFuture<'a, Verdict>;

#[doc(hidden)]
#[macro_export]
macro_rules! queue_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, QueueRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_queue_rule! { queue_table!() }
