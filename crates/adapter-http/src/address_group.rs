//! Which addresses limits count as one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that one caller can be expected to choose from, and that limits count as one.
///
/// An IPv4 address stands for itself. An IPv6 address stands for its /64, which a home or a phone
/// is given, and that for its /48, of which one customer may get a whole one. An address into which
/// an IPv4 address was translated (mapped, NAT64 at its well-known prefix, 6to4) counts as that
/// one: there is more than one way to write it, and some of them leave their user 80 bits to
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

    /// What a limit per address counts by: an IPv4 address or an IPv6 /64.
    pub(crate) fn host(self) -> IpAddr {
        self.0
    }

    /// The /48 around an IPv6 /64, to be limited at a multiple; an IPv4 address has none.
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

/// The network of the first so many bits, which are at least one.
fn network(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & u128::MAX << (128 - bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_version_6_stands_for_its_networks_and_a_translated_one_for_the_one_inside() {
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
