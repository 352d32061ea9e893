//! The rules of [`CacheStore`](decorators::cache::CacheStore), numbered as in its documentation.

mod harness;
mod invalid_values;
mod invalidation;
mod leases;
mod lookup;
mod timestamps;

use futures_util::future::BoxFuture;

pub use harness::{CacheFixture, CacheHarness};
pub use invalid_values::*;
pub use invalidation::*;
pub use leases::*;
pub use lookup::*;
pub use timestamps::*;

use crate::RuleResult;

/// The macro behind [`cache_store_contract`](crate::cache_store_contract); calls back with the name
/// of every rule.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_cache_rule {
    ($then:ident!($($args:tt)*)) => {
        $crate::$then! { $($args)*;
            rule_1_finds_nothing_before_a_put
            rule_1_finds_the_exact_bytes_through_any_handle
            rule_1_expires_a_copy_after_its_lifetime
            rule_1_takes_the_lifetime_of_a_copy_from_its_own_put
            rule_2_replaces_a_copy_only_by_a_later_stamp
            rule_2_keeps_the_latest_stamp_under_concurrency
            rule_2_replaces_unusable_values_whatever_the_stamp
            rule_3_returns_the_time_since_the_stamp
            rule_3_stamps_never_decrease_and_exceed_the_copy
            rule_4_takes_a_lease_only_if_no_copy_is_fresh
            rule_4_takes_no_lease_without_a_request
            rule_4_one_of_many_requests_gets_the_lease
            rule_4_a_second_request_renews_the_lease
            rule_4_a_lease_expires
            rule_4_a_lease_ends_when_its_holder_releases_it_or_puts
            rule_4_no_client_ends_the_lease_of_another
            rule_5_keeps_copies_apart
            rule_5_keeps_leases_apart
            rule_6_reports_why_a_value_is_unusable
            rule_6_leases_the_load_of_an_unusable_value
            rule_6_refuses_exactly_the_payloads_that_are_too_long
            rule_7_every_handle_sees_when_a_kind_was_invalidated
            rule_7_keeps_kinds_apart_and_removes_no_copies
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! cache_store_tests {
    ($fixture:expr; $($rule:ident)*) => {
        $(#[test]
        fn $rule() {
            if let Err(violation) = $crate::run_rule($crate::cache::$rule(&$fixture)) {
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
pub type CacheRule = for<'a> fn(&'a dyn CacheFixture) -> BoxFuture<'a, RuleResult>;

#[doc(hidden)]
#[macro_export]
macro_rules! cache_store_table {
    (; $($rule:ident)*) => {
        /// Every rule with its name.
        pub const RULES: &[(&str, CacheRule)] = &[$((stringify!($rule), |fixture| Box::pin($rule(fixture)))),*];
    };
}

for_each_cache_rule! { cache_store_table!() }
