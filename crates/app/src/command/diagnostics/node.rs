//! A client of a node's operations listener.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;

/// The timeout of one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// The maximum size of a response, in bytes.
const LONGEST: u64 = 16 << 20;

pub(super) struct Node {
    address: SocketAddr,
    agent: Agent,
}

impl Node {
    pub(super) fn at(address: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // A node that is not ready says why in the body.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        Self { address, agent: config.build().new_agent() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn request(&self, path: &str) -> Result<String, ureq::Error> {
        let mut answer = self.agent.get(format!("http://{}{path}", self.address)).call()?;
        answer.body_mut().with_config().limit(LONGEST).read_to_string()
    }
}
