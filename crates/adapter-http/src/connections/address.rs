//! Open connections and malformed input per address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PerAddress;
use crate::client_network::AddressGroup;

/// The limit of a /48 as a multiple of that of a /64: a house, an office or a small provider.
const SITE_MULTIPLE: usize = 8;

/// Refused heads within [`WINDOW_MS`] after which an address gets no new connection until the
/// window ends.
const MAX_MALFORMED: u32 = 50;

/// Time for which malformed heads are counted, in milliseconds.
const WINDOW_MS: u64 = 10_000;

/// Maximum number of accounts kept without an open connection.
const MAX_REMEMBERED: usize = 50_000;

/// Addresses whose connections count together.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Group {
    /// One IPv4 address or IPv6 /64.
    Host(IpAddr),
    /// The /48 around a /64.
    Site(IpAddr),
}

/// The groups of one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Peer {
    narrow: Group,
    wide: Option<Group>,
}

fn peer_of(address: IpAddr) -> Peer {
    let group = AddressGroup::of(address);
    Peer { narrow: Group::Host(group.host()), wide: group.site().map(Group::Site) }
}

#[derive(Debug, Default)]
struct Account {
    open: usize,
    malformed: u32,
    /// Time of the first of `malformed`, in milliseconds.
    since: u64,
}

impl Account {
    fn malformed_by(&self, now: u64) -> u32 {
        if now.saturating_sub(self.since) < WINDOW_MS { self.malformed } else { 0 }
    }
}

/// The accounts of a listener. Their number is bounded by the connections that are open and by
/// [`MAX_REMEMBERED`].
#[derive(Debug)]
pub(super) struct Addresses {
    settings: PerAddress,
    accounts: Mutex<HashMap<Group, Account>>,
}

impl Addresses {
    pub(super) fn new(settings: PerAddress) -> Self {
        Self { settings, accounts: Mutex::default() }
    }

    /// Counts a new connection of this address. Returns the accounts to close later, or `None` for
    /// an exempt address.
    ///
    /// # Errors
    /// If the address may not open a connection. Nothing is counted then.
    pub(super) fn open(&self, address: IpAddr, now: u64) -> Result<Option<Peer>, TooMany> {
        if self.settings.exempt.iter().any(|network| network.contains(address)) {
            return Ok(None);
        }
        let peer = peer_of(address);
        let mut accounts = self.accounts();
        let max_open = self.settings.max_open.map_or(usize::MAX, usize::from);
        let limits =
            [(Some(peer.narrow), max_open), (peer.wide, max_open.saturating_mul(SITE_MULTIPLE))];
        for (group, limit) in limits {
            let Some(account) = group.and_then(|group| accounts.get(&group)) else { continue };
            if account.open >= limit || account.malformed_by(now) >= MAX_MALFORMED {
                return Err(TooMany);
            }
        }
        for group in peer.groups() {
            accounts.entry(group).or_default().open += 1;
        }
        Ok(Some(peer))
    }

    /// Counts the end of a connection.
    pub(super) fn close(&self, peer: Peer, now: u64) {
        let mut accounts = self.accounts();
        for group in peer.groups() {
            if let Entry::Occupied(mut entry) = accounts.entry(group) {
                let account = entry.get_mut();
                account.open = account.open.saturating_sub(1);
                if account.open == 0 && account.malformed_by(now) == 0 {
                    entry.remove();
                }
            }
        }
    }

    /// Counts malformed input, in the narrow group only.
    pub(super) fn malformed(&self, peer: Peer, now: u64) {
        if let Some(account) = self.accounts().get_mut(&peer.narrow) {
            if account.malformed_by(now) == 0 {
                (account.malformed, account.since) = (0, now);
            }
            account.malformed = account.malformed.saturating_add(1);
        }
    }

    /// Drops accounts with no open connection and no recent malformed head. If too many remain
    /// without an open connection, drops all of those.
    pub(super) fn forget(&self, now: u64) {
        let mut accounts = self.accounts();
        accounts.retain(|_, account| account.open > 0 || account.malformed_by(now) > 0);
        let idle = accounts.values().filter(|account| account.open == 0).count();
        if idle > MAX_REMEMBERED {
            accounts.retain(|_, account| account.open > 0);
        }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Group, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn groups(self) -> impl Iterator<Item = Group> {
        std::iter::once(self.narrow).chain(self.wide)
    }
}

/// The address may not open another connection now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn addresses(max_open: usize) -> Addresses {
        let exempt = vec!["10.0.0.0/8".parse().unwrap()];
        Addresses::new(PerAddress { max_open: NonZeroUsize::new(max_open), exempt })
    }

    fn open(addresses: &Addresses, address: &str) -> Result<Option<Peer>, TooMany> {
        addresses.open(address.parse().unwrap(), 0)
    }

    #[test]
    fn the_limit_per_address_exempts_proxies() {
        let addresses = addresses(2);
        let first = open(&addresses, "192.0.2.7").unwrap().unwrap();
        open(&addresses, "192.0.2.7").unwrap();
        assert_eq!(open(&addresses, "64:ff9b::192.0.2.7"), Err(TooMany));
        open(&addresses, "192.0.2.8").unwrap();
        addresses.close(first, 0);
        open(&addresses, "192.0.2.7").unwrap();
        for _ in 0..100 {
            assert_eq!(open(&addresses, "10.1.2.3"), Ok(None));
        }
    }

    #[test]
    fn a_48_may_have_eight_times_the_connections_of_a_64() {
        let addresses = addresses(2);
        let opened = |network: u32| {
            let address = format!("2001:db8:1:{network:x}::1");
            (0..3).filter(|_| open(&addresses, &address).is_ok()).count()
        };
        let all: Vec<usize> = (0..10).map(opened).collect();
        assert_eq!(all, [2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
        open(&addresses, "2001:db8:2::1").unwrap();
    }

    #[test]
    fn malformed_heads_block_an_address_until_the_window_ends() {
        let addresses = addresses(1_000);
        let address = "192.0.2.7".parse().unwrap();
        let peer = addresses.open(address, 0).unwrap().unwrap();
        for _ in 0..MAX_MALFORMED {
            addresses.open(address, 1).unwrap();
            addresses.malformed(peer, 1);
        }
        assert_eq!(addresses.open(address, 1 + WINDOW_MS - 1), Err(TooMany));
        addresses.open("192.0.2.8".parse().unwrap(), 1).unwrap();
        addresses.open(address, 1 + WINDOW_MS).unwrap();
    }

    #[test]
    fn inactive_accounts_are_dropped() {
        let addresses = addresses(1_000);
        let kept = |addresses: &Addresses| addresses.accounts().len();
        let peer = open(&addresses, "2001:db8::1").unwrap().unwrap();
        assert_eq!(kept(&addresses), 2);
        addresses.malformed(peer, 5);
        addresses.close(peer, 5);
        addresses.forget(WINDOW_MS + 4);
        assert_eq!(kept(&addresses), 1, "malformed heads are remembered for a while");
        addresses.forget(WINDOW_MS + 5);
        assert_eq!(kept(&addresses), 0);
    }
}
