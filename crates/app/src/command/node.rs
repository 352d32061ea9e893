//! A client of a node's operations listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::Agent;

/// The maximum size of a response, in bytes.
const LONGEST: u64 = 16 << 20;

pub(super) struct Node {
    address: SocketAddr,
    agent: Agent,
}

impl Node {
    /// The node that listens on this address, and the time limit of each request. A node that
    /// listens on all addresses of its machine is asked over loopback.
    pub(super) fn at(address: SocketAddr, limit: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(limit))
            // A node that is not ready says why in the body.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        Self { address: reachable(address), agent: config.build().new_agent() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The body of the response, whatever its status.
    pub(super) fn request(&self, path: &str) -> Result<String, ureq::Error> {
        self.answer(path).map(|(_, text)| text)
    }

    /// Whether the response says that all is well, and its body.
    pub(super) fn answer(&self, path: &str) -> Result<(bool, String), ureq::Error> {
        let mut answer = self.agent.get(format!("http://{}{path}", self.address)).call()?;
        let text = answer.body_mut().with_config().limit(LONGEST).read_to_string()?;
        Ok((answer.status().is_success(), text))
    }
}

/// The loopback address in place of one that means "all addresses".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_on_all_addresses_is_asked_over_loopback() {
        for (bound, asked) in [
            ("0.0.0.0:9081", "127.0.0.1:9081"),
            ("[::]:9081", "[::1]:9081"),
            ("10.0.0.7:9081", "10.0.0.7:9081"),
            ("[fe80::1]:9081", "[fe80::1]:9081"),
        ] {
            let node = Node::at(bound.parse().unwrap(), Duration::from_secs(1));
            assert_eq!(node.address(), asked.parse().unwrap(), "{bound}");
        }
    }
}
