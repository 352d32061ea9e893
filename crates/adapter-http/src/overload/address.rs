//! Whom an address stands for.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a caller's address is read from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AddressFrom {
    /// The other end of the connection.
    #[default]
    Peer,
    /// The last entry of `X-Forwarded-For`, the one that the proxy directly in front wrote: whatever stands before it
    /// is hearsay. Without one that is an address, the other end of the connection. Only for a service that nobody
    /// reaches but by its proxy.
    XForwardedFor,
}

impl AddressFrom {
    /// The group of addresses that a request comes from.
    pub(super) fn group_of(self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = || request.peer_addr().map(|peer| peer.ip());
        let address = match self {
            Self::Peer => peer(),
            Self::XForwardedFor => forwarded_for(request.headers()).or_else(peer),
        };
        address.map(group)
    }
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last_field = headers.get_all(X_FORWARDED_FOR).last()?.to_str().ok()?;
    address(last_field.rsplit(',').next()?.trim())
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(bare).or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

/// One IPv4 address, or one IPv6 network of 64 bits: so many a home or a phone is given to choose from.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_address_of_version_6_stands_for_its_network_and_a_mapped_one_for_itself() {
        for (given, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            assert_eq!(group(given.parse().unwrap()).to_string(), expected, "{given}");
        }
    }

    #[test]
    fn only_the_last_entry_counts_and_what_is_no_address_falls_back_to_the_peer() {
        for (fields, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            (&["203.0.113.9", "198.51.100.1,192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["[2001:db8::1]"], "2001:db8::"),
            (&["[2001:db8::1]:4711"], "2001:db8::"),
            (&["2001:db8::1"], "2001:db8::"),
            (&["192.0.2.1, unknown"], "127.0.0.1"),
            (&["192.0.2.1,"], "127.0.0.1"),
            (&[""], "127.0.0.1"),
            (&[], "127.0.0.1"),
        ] {
            let mut request = TestRequest::get().peer_addr("127.0.0.1:1".parse().unwrap());
            for field in fields {
                request = request.append_header((X_FORWARDED_FOR, HeaderValue::from_static(field)));
            }
            let request = request.to_srv_request();
            let of = |from: AddressFrom| from.group_of(&request).unwrap().to_string();
            assert_eq!(of(AddressFrom::XForwardedFor), expected, "{fields:?}");
            assert_eq!(of(AddressFrom::Peer), "127.0.0.1", "a header is not believed unasked");
        }
    }
}
