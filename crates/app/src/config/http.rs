//! `[http]`: the public listener.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::str::FromStr;

use adapter_http::{HttpSettings, Network, Origin, PerAddress};
use serde::{Deserialize, Serialize};

use super::{ConfigDuration, ConfigError, KeyDoc, invalid, require};

/// The public listener.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the keys are documented in KEYS, from which the reference is printed"
)]
pub struct HttpSection {
    pub bind: SocketAddr,
    pub workers: usize,
    pub backlog: u32,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    #[serde(deserialize_with = "super::secret::comma_separated")]
    pub proxies: Vec<String>,
    pub keep_alive: ConfigDuration,
    pub client_timeout: ConfigDuration,
    pub answer_timeout: ConfigDuration,
    pub request_timeout: ConfigDuration,
    pub drain_delay: ConfigDuration,
    pub shutdown_timeout: ConfigDuration,
    pub max_header_bytes: usize,
    pub max_body_bytes: usize,
    #[serde(deserialize_with = "super::secret::comma_separated")]
    pub cors_origins: Vec<String>,
    pub docs: bool,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            workers: 0,
            // Half of Linux's default net.core.somaxconn: room for a burst of connections in one
            // scheduling delay.
            backlog: 2_048,
            max_connections: 0,
            // An office or a carrier shares one address; fifty such addresses fill two workers.
            max_connections_per_address: 1_000,
            proxies: PRIVATE.map(str::to_owned).to_vec(),
            // Longer than the 60 s of common load balancers, which would otherwise reuse a
            // connection that was just closed.
            keep_alive: ConfigDuration::secs(75),
            client_timeout: ConfigDuration::secs(5),
            answer_timeout: ConfigDuration::secs(10),
            request_timeout: ConfigDuration::secs(5),
            drain_delay: ConfigDuration::secs(1),
            shutdown_timeout: ConfigDuration::secs(25),
            max_header_bytes: 16 * 1024,
            max_body_bytes: 4 * 1024,
            cors_origins: Vec::new(),
            docs: true,
        }
    }
}

/// The default networks of proxies: this machine, and addresses that are not routed on the
/// internet.
const PRIVATE: [&str; 6] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// The HTTP library accepts no more workers.
const MAX_WORKERS: usize = 512;

impl HttpSection {
    /// The default maximum of open connections per worker.
    pub(crate) const MAX_CONNECTIONS: usize = 25_000;

    pub(super) const KEYS: &[KeyDoc] = &[
        KeyDoc {
            name: "bind",
            meaning: "address and port of the public listener; port 0 picks a free port",
        },
        KeyDoc {
            name: "workers",
            meaning: "threads that serve requests, up to 512; 0 is one per core",
        },
        KeyDoc {
            name: "backlog",
            meaning: "maximum number of connections that wait to be accepted; the kernel may allow fewer",
        },
        KeyDoc {
            name: "max_connections",
            meaning: "maximum open connections per worker; 0 is 25000, or fewer if the limit on open files is lower. A configured value that exceeds that limit stops the program at start",
        },
        KeyDoc {
            name: "max_connections_per_address",
            meaning: "maximum open connections of one IPv4 address or IPv6 /64 network per listener, beyond which new ones are closed; a /48 may have eight times as many; 0 is unlimited",
        },
        KeyDoc {
            name: "proxies",
            meaning: "networks of the proxies in front, whose connections are exempt from the limits by address; comma-separated in the environment and in flags. If clients connect through a proxy, the proxy must limit them by address (docs/guide/connections.md)",
        },
        KeyDoc {
            name: "keep_alive",
            meaning: "how long an idle connection is kept; must exceed the idle timeout of a load balancer in front",
        },
        KeyDoc {
            name: "client_timeout",
            meaning: "how long a client may take to send the head of a request, from its first byte (then 408), and again to send its body (then 408 `BODY_TIMED_OUT`)",
        },
        KeyDoc {
            name: "answer_timeout",
            meaning: "how long a client may take to read a response, from the first blocked write until all is written; then the connection is closed",
        },
        KeyDoc {
            name: "request_timeout",
            meaning: "timeout of a request, from when it is received completely; then 503 `TIMED_OUT`",
        },
        KeyDoc {
            name: "drain_delay",
            meaning: "after a stop signal, how long readiness is false and responses close their connections before the listener closes",
        },
        KeyDoc {
            name: "shutdown_timeout",
            meaning: "how long in-flight requests may take to finish after that; at least `request_timeout`",
        },
        KeyDoc {
            name: "max_header_bytes",
            meaning: "maximum size of the request target and headers together in bytes; then 431",
        },
        KeyDoc {
            name: "max_body_bytes",
            meaning: "maximum size of a request body in bytes; then 413",
        },
        KeyDoc {
            name: "cors_origins",
            meaning: "origins of pages on other sites that may call the API from a browser, such as `https://shop.example`; none by default; comma-separated in the environment and in flags",
        },
        KeyDoc {
            name: "docs",
            meaning: "whether the public listener serves the description of the API at `/openapi.json` and a page to try it at `/docs`",
        },
    ];

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        require(self.workers <= MAX_WORKERS, "http.workers", "must be at most 512")?;
        require(self.backlog > 0, "http.backlog", "must be at least 1")?;
        // The HTTP library checks its own timers for the first two every half second, and a worker
        // checks its connections as often.
        require(
            self.keep_alive >= ConfigDuration::secs(1),
            "http.keep_alive",
            "must be at least 1s",
        )?;
        require(
            self.client_timeout >= ConfigDuration::secs(1),
            "http.client_timeout",
            "must be at least 1s",
        )?;
        require(
            self.answer_timeout >= ConfigDuration::secs(1),
            "http.answer_timeout",
            "must be at least 1s",
        )?;
        self.networks()?;
        self.origins()?;
        require(
            self.request_timeout >= ConfigDuration::millis(100),
            "http.request_timeout",
            "must be at least 100ms",
        )?;
        require(
            self.drain_delay <= ConfigDuration::secs(60),
            "http.drain_delay",
            "must be at most 60s",
        )?;
        let finishes = self.shutdown_timeout >= self.request_timeout;
        require(finishes, "http.shutdown_timeout", "must be at least http.request_timeout")?;
        // The HTTP library reads at most 128 KiB of a request head.
        let bounded = (1_024..=65_536).contains(&self.max_header_bytes);
        require(bounded, "http.max_header_bytes", "must be from 1024 to 65536")
    }

    /// The networks of the proxies in front.
    fn networks(&self) -> Result<Vec<Network>, ConfigError> {
        parsed("http.proxies", &self.proxies)
    }

    /// The origins whose pages may call the API.
    fn origins(&self) -> Result<Vec<Origin>, ConfigError> {
        parsed("http.cors_origins", &self.cors_origins)
    }

    /// The settings of the listener. If `max_connections` is 0, they contain the default maximum.
    #[must_use]
    pub fn settings(&self) -> HttpSettings {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        HttpSettings {
            bind: self.bind,
            workers: if self.workers == 0 { cores().min(MAX_WORKERS) } else { self.workers },
            backlog: self.backlog,
            max_connections: if self.max_connections == 0 {
                Self::MAX_CONNECTIONS
            } else {
                self.max_connections
            },
            per_address: PerAddress {
                max_open: NonZeroUsize::new(self.max_connections_per_address),
                // Validated together with the configuration.
                exempt: self.networks().unwrap_or_default(),
            },
            keep_alive: self.keep_alive.0,
            client_timeout: self.client_timeout.0,
            answer_timeout: self.answer_timeout.0,
            request_timeout: self.request_timeout.0,
            shutdown_timeout: self.shutdown_timeout.0,
            max_header_bytes: self.max_header_bytes,
            max_body_bytes: self.max_body_bytes,
            // Validated too.
            cors_origins: self.origins().unwrap_or_default(),
        }
    }
}

/// Parses the entries of a list, each of which may be several with commas between them.
fn parsed<T: FromStr<Err: Display>>(key: &str, entries: &[String]) -> Result<Vec<T>, ConfigError> {
    let texts = entries.iter().flat_map(|text| text.split(',')).map(str::trim);
    let given = texts.filter(|text| !text.is_empty());
    given.map(|text| text.parse().map_err(|error| invalid(key, error))).collect()
}
