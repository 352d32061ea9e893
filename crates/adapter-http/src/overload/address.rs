//! Finds the address that a request counts for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use actix_web::http::header::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a caller's address is read from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AddressFrom {
    /// The peer of the connection.
    #[default]
    Peer,
    /// The entry of `X-Forwarded-For` at position `trusted_hops` from the right. Each proxy appends
    /// one entry: the proxy directly in front writes the last one, the proxy before it the one to
    /// the left, and entries beyond those of our own proxies are unverified. With fewer entries the
    /// request bypassed some of the proxies, and the first entry counts. If that entry is missing
    /// or not an address, the peer address counts. Use this only if the service can be reached
    /// through its proxies alone.
    XForwardedFor {
        /// Number of our own proxies, each of which adds an entry.
        trusted_hops: NonZeroU32,
    },
}

impl AddressFrom {
    /// The address that a request comes from.
    pub(super) fn address_of(
        self,
        peer: Option<SocketAddr>,
        headers: &HeaderMap,
    ) -> Option<IpAddr> {
        let peer = || peer.map(|peer| peer.ip());
        match self {
            Self::Peer => peer(),
            Self::XForwardedFor { trusted_hops } => {
                forwarded_for(headers, trusted_hops).or_else(peer)
            }
        }
    }
}

fn forwarded_for(headers: &HeaderMap, trusted_hops: NonZeroU32) -> Option<IpAddr> {
    let fields = headers.get_all(X_FORWARDED_FOR).rev();
    let entries = fields.flat_map(|field| field.as_bytes().rsplit(|byte| *byte == b','));
    let outermost = entries.take(trusted_hops.get() as usize).last()?;
    address(str::from_utf8(outermost).ok()?.trim())
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(bare)
        .or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

/// Whether an address is public. Loopback, private, shared (RFC 6598), link-local and unique local
/// addresses are not. A request from the internet never has one of these, so it belongs to a proxy
/// in front or to a test.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let is_shared = address.to_bits() >> 22 == Ipv4Addr::new(100, 64, 0, 0).to_bits() >> 22;
            !(address.is_loopback() || address.is_private() || address.is_link_local() || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn private_addresses_are_not_public() {
        for (address, expected) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.31.0.1", false),
            ("192.168.0.1", false),
            ("169.254.1.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::ffff:10.1.2.3", false),
            ("100.63.0.1", true),
            ("100.128.0.1", true),
            ("172.32.0.1", true),
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("2001:db8::1", true),
            // A translator on the path writes these; a private address behind it does not matter.
            ("64:ff9b::10.1.2.3", true),
            ("2002:a01:203::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_outermost_trusted_entry_counts_and_the_peer_is_the_fallback() {
        for (hops, fields, expected) in [
            (1, &["192.0.2.1"][..], "192.0.2.1"),
            (1, &["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            (1, &["203.0.113.9", "198.51.100.1,192.0.2.1"], "192.0.2.1"),
            (1, &["192.0.2.1:4711"], "192.0.2.1"),
            (1, &["[2001:db8::1]"], "2001:db8::1"),
            (1, &["[2001:db8::1]:4711"], "2001:db8::1"),
            (1, &["2001:db8::1"], "2001:db8::1"),
            (1, &["192.0.2.1, unknown"], "127.0.0.1"),
            (1, &["192.0.2.1,"], "127.0.0.1"),
            (1, &[""], "127.0.0.1"),
            (1, &[], "127.0.0.1"),
            (2, &["203.0.113.9, 192.0.2.1, 10.0.0.1"], "192.0.2.1"),
            (2, &["203.0.113.9", "192.0.2.1", "10.0.0.1"], "192.0.2.1"),
            (2, &["203.0.113.9, 192.0.2.1", "10.0.0.1"], "192.0.2.1"),
            (2, &["203.0.113.9", "192.0.2.1,10.0.0.1"], "192.0.2.1"),
            (3, &["203.0.113.9, 192.0.2.1, 10.0.0.2, 10.0.0.1"], "192.0.2.1"),
            (2, &["192.0.2.1"], "192.0.2.1"),
            (2, &["unknown, 192.0.2.1"], "127.0.0.1"),
            (2, &[], "127.0.0.1"),
        ] {
            let mut request = TestRequest::get();
            for field in fields {
                request = request.append_header((X_FORWARDED_FOR, HeaderValue::from_static(field)));
            }
            let request = request.to_srv_request();
            let peer = "127.0.0.1:1".parse().ok();
            let of =
                |from: AddressFrom| from.address_of(peer, request.headers()).unwrap().to_string();
            let trusted_hops = NonZeroU32::new(hops).unwrap();
            assert_eq!(
                of(AddressFrom::XForwardedFor { trusted_hops }),
                expected,
                "{hops}: {fields:?}"
            );
            assert_eq!(
                of(AddressFrom::Peer),
                "127.0.0.1",
                "the header is ignored unless configured"
            );
        }
    }
}
