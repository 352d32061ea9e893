//! Whom an address stands for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use actix_web::http::header::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a caller's address is read from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AddressFrom {
    /// The other end of the connection.
    #[default]
    Peer,
    /// The entry of `X-Forwarded-For` that stands so many from the right. One proxy writes one
    /// entry: the last is that of the proxy directly in front, the one before it that of the proxy
    /// in front of that, and what stands before those of our own proxies is hearsay. Where there
    /// are fewer, the request came past some of the proxies, and the first entry counts; where that
    /// entry is no address, or there is none, the other end of the connection does. Only for a
    /// service that nobody reaches but by its proxies.
    XForwardedFor {
        /// Proxies of our own, each of which adds an entry.
        trusted_hops: NonZeroU32,
    },
}

impl AddressFrom {
    /// The address that a request comes from, by the other end of its connection and its headers.
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

/// Whether an address is one of the internet's, as far as the common private networks go: loopback,
/// private, shared (RFC 6598), link-local and unique local addresses are not. Nobody reaches us
/// from the internet with one of these, so it is that of a proxy in front or of a test.
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
    fn what_nobody_has_on_the_internet_is_not_public() {
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
            // The network between translates these; that somebody has a private address behind it
            // is their affair.
            ("64:ff9b::10.1.2.3", true),
            ("2002:a01:203::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn the_entry_counts_that_the_outermost_trusted_proxy_wrote_and_what_is_no_address_is_the_peers()
    {
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
            assert_eq!(of(AddressFrom::Peer), "127.0.0.1", "a header is not believed unasked");
        }
    }
}
