//! Rate limits per key, in bounded memory.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use decorators::counter::Counter;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::sync::Cache;

use crate::client_network::AddressGroup;
use crate::problem::Problem;

/// A sustained rate, and the burst allowed after a pause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Sustained rate per second.
    pub per_second: NonZeroU32,
    /// Requests allowed at once after a pause.
    pub burst: NonZeroU32,
}

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// One limiter per key, for a bounded number of keys. An evicted key starts over with a full burst.
pub(super) struct KeyedRate<K, C: Clock = DefaultClock> {
    quota: Quota,
    clock: C,
    limiters: Cache<K, Arc<Limiter<C>>>,
    refused: Counter,
}

impl<K> KeyedRate<K>
where
    K: Eq + Hash + Send + Sync + 'static,
{
    pub(super) fn new(rate: Rate, max_keys: u64) -> Self {
        Self::with_clock(rate, max_keys, DefaultClock::default())
    }
}

impl<K, C> KeyedRate<K, C>
where
    K: Eq + Hash + Send + Sync + 'static,
    C: Clock + Clone + Send + Sync + 'static,
    C::Instant: Send + Sync,
{
    fn with_clock(rate: Rate, max_keys: u64, clock: C) -> Self {
        // After this long without a request the burst is full again, so dropping the limiter loses
        // nothing.
        let whole_again =
            Duration::from_secs(u64::from(rate.burst.get().div_ceil(rate.per_second.get())));
        Self {
            quota: Quota::per_second(rate.per_second).allow_burst(rate.burst),
            clock,
            limiters: Cache::builder().max_capacity(max_keys).time_to_idle(whole_again).build(),
            refused: Counter::default(),
        }
    }

    /// Counts a request of this key.
    pub(super) fn check(&self, key: K) -> Result<(), Problem> {
        let fresh = || Arc::new(RateLimiter::direct_with_clock(self.quota, self.clock.clone()));
        self.limiters.get_with(key, fresh).check().map_err(|not_until| {
            self.refused.add_one();
            Problem::TooManyRequests(not_until.wait_time_from(self.clock.now()))
        })
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.get()
    }
}

/// A rate per address, and a multiple of it per network around the address.
pub(super) struct AddressRate<C: Clock = DefaultClock> {
    hosts: KeyedRate<IpAddr, C>,
    sites: KeyedRate<IpAddr, C>,
}

impl AddressRate {
    pub(super) fn new(rate: Rate, site_multiple: NonZeroU32, max_keys: u64) -> Self {
        Self::with_clock(rate, site_multiple, max_keys, &DefaultClock::default())
    }
}

impl<C> AddressRate<C>
where
    C: Clock + Clone + Send + Sync + 'static,
    C::Instant: Send + Sync,
{
    fn with_clock(rate: Rate, site_multiple: NonZeroU32, max_keys: u64, clock: &C) -> Self {
        let of_a_site = Rate {
            per_second: rate.per_second.saturating_mul(site_multiple),
            burst: rate.burst.saturating_mul(site_multiple),
        };
        Self {
            hosts: KeyedRate::with_clock(rate, max_keys, clock.clone()),
            sites: KeyedRate::with_clock(of_a_site, max_keys, clock.clone()),
        }
    }

    /// Counts a request from this address.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Problem> {
        let group = AddressGroup::of(address);
        // The host comes first: a request it refuses must not use up the rate of its neighbours.
        self.hosts.check(group.host())?;
        group.site().map_or(Ok(()), |site| self.sites.check(site))
    }

    pub(super) fn refused(&self) -> u64 {
        self.hosts.refused() + self.sites.refused()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn each_key_has_a_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let keyed = KeyedRate::with_clock(rate(2, 3), 100, clock.clone());
        let answered = |key: u64| (0..10).filter(|_| keyed.check(key).is_ok()).count();
        assert_eq!((answered(1), answered(2)), (3, 3));
        for (milliseconds, expected) in [(499, 0), (1, 1), (1_000, 2), (60_000, 3)] {
            clock.advance(Duration::from_millis(milliseconds));
            assert_eq!(answered(1), expected, "{milliseconds} ms later");
        }
        assert_eq!(keyed.refused(), 7 + 7 + 10 + 9 + 8 + 7);
    }

    #[test]
    fn an_ipv6_48_has_a_multiple_of_the_rate_of_a_64() {
        let clock = FakeRelativeClock::default();
        let two = NonZeroU32::new(2).unwrap();
        let addresses = AddressRate::with_clock(rate(1, 3), two, 100, &clock);
        let answered = |network: &str, times: u32| {
            let address = |n: u32| format!("{network}{n}").parse().unwrap();
            (0..times).filter(|n| addresses.check(address(*n)).is_ok()).count()
        };
        assert_eq!(answered("2001:db8:1:1::", 10), 3, "a /64");
        assert_eq!(answered("2001:db8:1:2::", 2), 2);
        assert_eq!(
            (answered("2001:db8:1:3::", 3), answered("2001:db8:1:4::", 3)),
            (1, 0),
            "six from the /48"
        );
        assert_eq!(answered("2001:db8:2:1::", 10), 3, "another /48");
        assert_eq!(answered("192.0.2.", 10), 10, "ten IPv4 addresses");
        assert_eq!(addresses.refused(), 7 + 2 + 3 + 7);
        clock.advance(Duration::from_secs(1));
        assert_eq!(
            (answered("2001:db8:1:3::", 3), answered("2001:db8:1:1::", 3)),
            (1, 1),
            "two a second"
        );
    }

    #[test]
    fn a_refusal_carries_the_time_to_wait() {
        let keyed = KeyedRate::with_clock(rate(2, 1), 100, FakeRelativeClock::default());
        keyed.check(1_u64).unwrap();
        let Err(Problem::TooManyRequests(wait)) = keyed.check(1) else { panic!("refused") };
        assert_eq!(wait, Duration::from_millis(500));
    }

    #[test]
    fn a_million_made_up_keys_stay_bounded_and_do_not_reset_a_limited_key() {
        let keyed = KeyedRate::with_clock(rate(1, 5), 1_000, FakeRelativeClock::default());
        let mut answered = 0;
        for made_up in 1..=1_000_000_u64 {
            keyed.check(made_up).unwrap();
            if made_up % 100 == 0 {
                answered += u32::from(keyed.check(0).is_ok());
            }
        }
        keyed.limiters.run_pending_tasks();
        assert!(keyed.limiters.entry_count() <= 1_000, "{}", keyed.limiters.entry_count());
        assert_eq!(answered, 5, "of the 10,000 requests of the key that is in use all the time");
    }
}
