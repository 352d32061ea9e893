//! The address of a Redis, parsed from a URL. It never shows the password.

use std::fmt;

/// A parsed address.
#[derive(Clone, Eq, PartialEq)]
pub struct RedisAddress {
    pub(crate) topology: Topology,
    pub(crate) credentials: Option<Credentials>,
}

/// How the primary is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Topology {
    /// This node is the primary.
    Single(Node),
    /// These sentinels know the primary by this name.
    Sentinel { sentinels: Vec<Node>, name: String },
    /// These nodes of a cluster, and the nodes they list.
    Cluster(Vec<Node>),
}

/// Host and port.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Credentials {
    pub(crate) user: Option<String>,
    pub(crate) password: String,
}

/// A text that is not a Redis address. The message says what is wrong without repeating a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a Redis address: {0}")]
pub struct InvalidRedisAddress(&'static str);

const FORMS: &str = "expected redis://[user:password@]host:port, \
    redis-cluster://[…@]host:port,host:port… or redis-sentinel://[…@]host:port,host:port…/name";

impl RedisAddress {
    /// Reads `redis://[user:password@]host:port`, `redis-cluster://…host:port,host:port…` or
    /// `redis-sentinel://…host:port,host:port…/name`. User and password are those of the data
    /// nodes, percent-encoded if necessary; the user may be empty. The port is optional.
    ///
    /// # Errors
    /// [`InvalidRedisAddress`].
    pub fn parse(text: &str) -> Result<Self, InvalidRedisAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidRedisAddress(FORMS))?;
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(Credentials::parse(credentials)?), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let topology = match (scheme, path) {
            ("redis", "") => Topology::Single(Node::parse(hosts, REDIS_PORT)?),
            ("redis-cluster", "") => Topology::Cluster(nodes(hosts, REDIS_PORT)?),
            ("redis-sentinel", name) if !name.is_empty() => Topology::Sentinel {
                sentinels: nodes(hosts, SENTINEL_PORT)?,
                name: name.to_owned(),
            },
            ("redis-sentinel", _) => {
                return Err(InvalidRedisAddress(
                    "the name of the primary at the sentinels is missing",
                ));
            }
            ("redis" | "redis-cluster", _) => {
                return Err(InvalidRedisAddress("a queue is kept in database 0 only"));
            }
            _ => return Err(InvalidRedisAddress(FORMS)),
        };
        Ok(Self { topology, credentials })
    }

    /// The number of servers with long-lived connections: every configured node of a cluster,
    /// otherwise one. Connections to sentinels are short.
    #[must_use]
    pub fn servers(&self) -> usize {
        match &self.topology {
            Topology::Single(_) | Topology::Sentinel { .. } => 1,
            Topology::Cluster(nodes) => nodes.len(),
        }
    }
}

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

fn nodes(text: &str, default_port: u16) -> Result<Vec<Node>, InvalidRedisAddress> {
    text.split(',').map(|node| Node::parse(node, default_port)).collect()
}

impl Node {
    fn parse(text: &str, default_port: u16) -> Result<Self, InvalidRedisAddress> {
        let (host, port) = match text.rsplit_once(':') {
            // A bare IPv6 address in brackets ends with a bracket.
            Some((host, port)) if !text.ends_with(']') => {
                (host, port.parse().map_err(|_| InvalidRedisAddress("a port is not a number"))?)
            }
            _ => (text, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(InvalidRedisAddress("a host is missing"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Credentials {
    fn parse(text: &str) -> Result<Self, InvalidRedisAddress> {
        let (user, password) =
            text.split_once(':').ok_or(InvalidRedisAddress("the password is missing"))?;
        let user = decoded(user)?;
        Ok(Self { user: (!user.is_empty()).then_some(user), password: decoded(password)? })
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, InvalidRedisAddress> {
    const BAD: InvalidRedisAddress =
        InvalidRedisAddress("user or password is not percent-encoded correctly");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or(BAD);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| BAD)?);
    }
    String::from_utf8(bytes).map_err(|_| BAD)
}

/// Hosts only; nothing secret.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |nodes: &[Node]| nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(",");
        match &self.topology {
            Topology::Single(node) => write!(f, "redis at {node}"),
            Topology::Sentinel { sentinels, name } => {
                write!(f, "redis {name} of sentinels {}", list(sentinels))
            }
            Topology::Cluster(nodes) => write!(f, "redis cluster of {}", list(nodes)),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    #[test]
    fn the_three_forms_are_read() {
        let single = RedisAddress::parse("redis://10.0.0.1:7000").unwrap();
        assert_eq!(single.topology, Topology::Single(node("10.0.0.1", 7000)));
        let cluster = RedisAddress::parse("redis-cluster://a:1,b:2,[::1]:3").unwrap();
        assert_eq!(
            cluster.topology,
            Topology::Cluster(vec![node("a", 1), node("b", 2), node("::1", 3)])
        );
        let sentinel = RedisAddress::parse("redis-sentinel://a,b:5/main").unwrap();
        let sentinels = vec![node("a", 26379), node("b", 5)];
        assert_eq!(sentinel.topology, Topology::Sentinel { sentinels, name: "main".to_owned() });
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let address = RedisAddress::parse("redis://boxoffice:p%40ss%3Aw@h:1").unwrap();
        let credentials = address.credentials.as_ref().unwrap();
        assert_eq!(credentials.user.as_deref(), Some("boxoffice"));
        assert_eq!(credentials.password, "p@ss:w");
        assert_eq!(RedisAddress::parse("redis://:x@h").unwrap().credentials.unwrap().user, None);
        assert_eq!(format!("{address} {address:?}"), "redis at h:1 Address(redis at h:1)");
    }

    #[test]
    fn an_invalid_address_is_refused_without_repeating_it() {
        for bad in [
            "",
            "h:1",
            "http://h:1",
            "redis://",
            "redis://h:x",
            "redis://h:1/3",
            "redis-sentinel://h",
            "redis://secret@h",
            "redis://:%zz@h",
            "redis-cluster://a,,b",
        ] {
            let error = RedisAddress::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
