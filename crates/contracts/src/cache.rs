//! The rules of [`CacheStore`](decorators::cache::CacheStore), by the number of the rule in its documentation.

mod copies;
mod kinds;
mod leases;
mod stamps;
mod unusable;
mod world;

use futures_util::future::BoxFuture;

pub use copies::*;
pub use kinds::*;
pub use leases::*;
pub use stamps::*;
pub use unusable::*;
pub use world::{CacheFixture, CacheWorld};

use crate::Verdict;

/// The macro behind [`cache_store_contract`](crate::cache_store_contract); calls back with the name of every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_cache_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_finds_nothing_that_nobody_put
            rule_1_finds_what_was_put_to_the_byte_through_any_handle
            rule_1_keeps_a_copy_no_longer_than_it_was_to_be
            rule_1_keeps_a_copy_as_long_as_its_own_put_said
            rule_2_never_replaces_a_copy_by_one_of_the_same_or_an_earlier_stamp
            rule_2_the_latest_stamp_stays_whatever_races
            rule_2_replaces_what_cannot_be_used_by_anything
            rule_3_tells_the_time_since_the_stamp
            rule_3_stamps_never_go_back_and_outrun_the_copy
            rule_4_takes_a_lease_only_where_nothing_is_fresh
            rule_4_takes_no_lease_that_is_not_asked_for
            rule_4_one_of_many_gets_the_lease
            rule_4_asking_again_holds_the_lease_on
            rule_4_a_lease_ends_by_itself
            rule_4_a_lease_ends_when_its_holder_gives_it_back_or_puts
            rule_4_nobody_ends_the_lease_of_somebody_else
            rule_5_keeps_copies_apart
            rule_5_keeps_leases_apart
            rule_6_tells_what_cannot_be_used_and_why
            rule_6_leases_the_loading_of_what_cannot_be_used
            rule_6_refuses_what_is_longer_than_may_be_and_nothing_shorter
            rule_7_tells_every_handle_how_long_ago_a_kind_was_invalidated
            rule_7_keeps_kinds_apart_and_copies_where_they_are
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! cache_store_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[$crate::tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "contracts::tokio")]
        async fn $rule() {
            if let Err(violation) = $crate::cache::$rule(&$fixture).await {
                panic!("{violation}");
            }
        })*
    };
}

/// Expands to one test per rule of [`CacheStore`](decorators::cache::CacheStore), on a
/// [`CacheFixture`](crate::cache::CacheFixture).
#[macro_export]
macro_rules! cache_store_contract {
    ($fixture:expr) => {
        $crate::for_each_cache_rule! { cache_store_tests!($fixture) }
    };
}

/// A rule of this port.
pub type CacheRule = for<'a> fn(&'a dyn CacheFixture) -> BoxFuture<'a, Verdict>;

#[doc(hidden)]
#[macro_export]
macro_rules! cache_store_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, CacheRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_cache_rule! { cache_store_table!() }
