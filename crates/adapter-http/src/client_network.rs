//! Groups the addresses that limits count as one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that one caller can choose from, which limits count as one.
///
/// An IPv4 address is its own group. An IPv6 address counts as its /64, which a home or a phone is
/// assigned, and a /64 in turn belongs to its /48, which one customer may be assigned. An IPv6
/// address with an embedded IPv4 address (mapped, NAT64 with the well-known prefix, or 6to4) counts
/// as that IPv4 address: it can be written in more than one way, and some forms leave 80 bits to
/// choose.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => match embedded(address) {
                Some(inside) => inside.into(),
                None => network(address, 64).into(),
            },
        })
    }

    /// The key of a limit per address: an IPv4 address or an IPv6 /64.
    pub(crate) fn host(self) -> IpAddr {
        self.0
    }

    /// The /48 around an IPv6 /64, limited at a multiple; `None` for an IPv4 address.
    pub(crate) fn site(self) -> Option<IpAddr> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(network(address, 48).into()),
        }
    }
}

/// The IPv4 address inside an IPv6 address: ::ffff:0:0/96 (RFC 4291), 64:ff9b::/96 (RFC 6052) or
/// 2002::/16 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const WELL_KNOWN_PREFIX: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    let [first, high, low, ..] = address.segments();
    if first == 0x2002 {
        return Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    if network(address, 96) == WELL_KNOWN_PREFIX {
        return Some(Ipv4Addr::from_bits(address.to_bits() as u32));
    }
    address.to_ipv4_mapped()
}

/// The network with this prefix length, which is at least 1.
fn network(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & u128::MAX << (128 - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_counts_by_network_and_an_embedded_ipv4_address_as_itself() {
        for (given, host, site) in [
            ("192.0.2.7", "192.0.2.7", None),
            ("::ffff:192.0.2.7", "192.0.2.7", None),
            ("64:ff9b::192.0.2.7", "192.0.2.7", None),
            ("64:ff9b::c000:207", "192.0.2.7", None),
            ("2002:c000:207::1", "192.0.2.7", None),
            ("2002:c000:207:ffff:ffff:ffff:ffff:ffff", "192.0.2.7", None),
            ("64:ff9b:1::192.0.2.7", "64:ff9b:1::", Some("64:ff9b:1::")),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", Some("2001:db8:1::")),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::", Some("2001:db8:1::")),
            ("2001:db8:1:3::", "2001:db8:1:3::", Some("2001:db8:1::")),
            ("2001:db8:2::", "2001:db8:2::", Some("2001:db8:2::")),
        ] {
            let group = AddressGroup::of(given.parse().unwrap());
            assert_eq!(group.host().to_string(), host, "{given}");
            assert_eq!(group.site().map(|site| site.to_string()).as_deref(), site, "{given}");
        }
    }
}
