//! `[ops]`: the operations listener.

use std::net::{Ipv4Addr, SocketAddr};

use adapter_http::HttpSettings;
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, HttpSection, KeyDoc, require};

/// The operations listener.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct OpsSection {
    pub bind: SocketAddr,
    pub check_every: ConfigDuration,
    pub cut_off_after: ConfigDuration,
}

impl Default for OpsSection {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 9081)),
            check_every: ConfigDuration::secs(1),
            // Longer than a reconnect, shorter than a failover, which affects all nodes.
            cut_off_after: ConfigDuration::secs(2),
        }
    }
}

impl OpsSection {
    /// The maximum of open connections.
    pub(crate) const MAX_CONNECTIONS: usize = 256;

    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "bind",
            meaning: "address and port of the operations listener; must not be reachable from outside",
        },
        KeyDoc {
            name: "check_every",
            meaning: "interval of the health checks of the dependencies, 100ms to 60s; readiness reports their last results",
        },
        KeyDoc {
            name: "cut_off_after",
            meaning: "how long this node may be cut off from a store that users need (the queue's Redis, Postgres) before `/readyz/node` is 503, up to 60s; `/readyz` stays 200",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let often =
            (ConfigDuration::millis(100)..=ConfigDuration::secs(60)).contains(&self.check_every);
        require(often, "ops.check_every", "must be from 100ms to 60s")?;
        require(
            self.cut_off_after <= ConfigDuration::secs(60),
            "ops.cut_off_after",
            "must be at most 60s",
        )
    }

    /// The settings of the listener: the limits of the public one, but one thread and few
    /// connections.
    #[must_use]
    pub fn settings(&self, http: &HttpSection) -> HttpSettings {
        HttpSettings {
            bind: self.bind,
            workers: 1,
            max_connections: Self::MAX_CONNECTIONS,
            backlog: 128,
            ..http.settings()
        }
    }
}
