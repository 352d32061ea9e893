//! The address of a Redis, parsed from a URL. It never shows the password.

use std::fmt;

use crate::tls::{self, RedisTls};

/// A parsed address.
#[derive(Clone)]
pub struct RedisAddress {
    pub(crate) topology: Topology,
    /// How the servers with the data are entered.
    pub(crate) access: Access,
    /// How the sentinels are entered.
    pub(crate) sentinels: Access,
}

/// How a server is entered.
#[derive(Clone, Default)]
pub(crate) struct Access {
    pub(crate) credentials: Option<Credentials>,
    pub(crate) database: u8,
    pub(crate) security: Security,
}

/// Whether connections are encrypted.
#[derive(Clone, Debug, Default)]
pub(crate) enum Security {
    #[default]
    Plain,
    /// Encrypted, and `None` until it is known how: then no connection is made.
    Tls(Option<RedisTls>),
}

impl Security {
    /// Continues "was not ready in time".
    pub(crate) fn when_late(&self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Tls(_) => " over TLS, in which a port without TLS does not answer",
        }
    }

    /// The reason of a client for not connecting, in words.
    pub(crate) fn why_not_connected(&self, said: &str) -> String {
        match self {
            Self::Plain if was_hung_up(said) => format!("{said}; it may speak TLS (rediss://)"),
            Self::Plain => said.to_owned(),
            Self::Tls(_) => tls::in_words(said).map_or_else(|| said.to_owned(), ToOwned::to_owned),
        }
    }
}

/// Whether the other end closed the connection without an answer.
fn was_hung_up(said: &str) -> bool {
    ["reset by peer", "unexpected end of file", "EOF"].iter().any(|part| said.contains(part))
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

impl Topology {
    /// The nodes that the address names.
    fn nodes(&self) -> &[Node] {
        match self {
            Self::Single(node) => std::slice::from_ref(node),
            Self::Sentinel { sentinels: nodes, .. } | Self::Cluster(nodes) => nodes,
        }
    }
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

const FORMS: &str = "expected redis://[user:password@]host:port[/database], \
    redis-cluster://[…@]host:port,host:port… or redis-sentinel://[…@]host:port,host:port…/name, \
    or one of them over TLS: rediss://, rediss-cluster://, rediss-sentinel://";

impl RedisAddress {
    /// Reads `redis://[user:password@]host:port[/database]`,
    /// `redis-cluster://…host:port,host:port…` or `redis-sentinel://…host:port,host:port…/name`.
    /// User and password are those of the data nodes, percent-encoded if necessary; the user may be
    /// empty. The port is optional. `rediss://`, `rediss-cluster://` and `rediss-sentinel://` mean
    /// TLS, and so do `redis-cluster+tls://` and `redis-sentinel+tls://`.
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
        let (kind, security) = read_scheme(scheme)?;
        let (topology, database) = match kind {
            Kind::Single => {
                (Topology::Single(Node::parse(hosts, REDIS_PORT)?), database_number(path)?)
            }
            Kind::Cluster if path.is_empty() => (Topology::Cluster(nodes(hosts, REDIS_PORT)?), 0),
            Kind::Cluster => {
                return Err(InvalidRedisAddress(
                    "a cluster has only one database, without a number",
                ));
            }
            Kind::Sentinel if path.is_empty() => {
                return Err(InvalidRedisAddress(
                    "the name of the primary at the sentinels is missing",
                ));
            }
            Kind::Sentinel => {
                let (sentinels, name) = (nodes(hosts, SENTINEL_PORT)?, path.to_owned());
                (Topology::Sentinel { sentinels, name }, 0)
            }
        };
        let sentinels = Access { security: security.clone(), ..Access::default() };
        Ok(Self { topology, access: Access { credentials, database, security }, sentinels })
    }

    /// Whether sentinels are asked for the primary.
    #[must_use]
    pub fn has_sentinels(&self) -> bool {
        matches!(self.topology, Topology::Sentinel { .. })
    }

    /// Enters the sentinels with this user and password. Without a user, the password is that of
    /// the default user.
    #[must_use]
    pub fn with_sentinel_credentials(mut self, user: &str, password: &str) -> Self {
        let user = (!user.is_empty()).then(|| user.to_owned());
        self.sentinels.credentials = Some(Credentials { user, password: password.to_owned() });
        self
    }

    /// Whether connections are encrypted. They need [`with_tls`](Self::with_tls) then.
    #[must_use]
    pub fn wants_tls(&self) -> bool {
        matches!(self.access.security, Security::Tls(_))
    }

    /// Encrypts connections in this way, if the address asks for encryption.
    #[must_use]
    pub fn with_tls(mut self, tls: &RedisTls) -> Self {
        for access in [&mut self.access, &mut self.sentinels] {
            if let Security::Tls(how) = &mut access.security {
                *how = Some(tls.clone());
            }
        }
        self
    }

    /// Whether the two addresses name a server of one deployment, whatever the database number,
    /// the user and the encryption. Different names of one host are not recognised.
    #[must_use]
    pub fn shares_a_server_with(&self, other: &Self) -> bool {
        let is_one_primary = match (&self.topology, &other.topology) {
            (Topology::Sentinel { name, .. }, Topology::Sentinel { name: other, .. }) => {
                name == other
            }
            _ => true,
        };
        is_one_primary
            && self.topology.nodes().iter().any(|node| other.topology.nodes().contains(node))
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

enum Kind {
    Single,
    Sentinel,
    Cluster,
}

fn read_scheme(scheme: &str) -> Result<(Kind, Security), InvalidRedisAddress> {
    let tls = Security::Tls(None);
    Ok(match scheme {
        "redis" => (Kind::Single, Security::Plain),
        "rediss" => (Kind::Single, tls),
        "redis-cluster" => (Kind::Cluster, Security::Plain),
        "rediss-cluster" | "redis-cluster+tls" => (Kind::Cluster, tls),
        "redis-sentinel" => (Kind::Sentinel, Security::Plain),
        "rediss-sentinel" | "redis-sentinel+tls" => (Kind::Sentinel, tls),
        _ => return Err(InvalidRedisAddress(FORMS)),
    })
}

fn database_number(path: &str) -> Result<u8, InvalidRedisAddress> {
    if path.is_empty() {
        return Ok(0);
    }
    path.parse().map_err(|_| InvalidRedisAddress("a database is a number from 0 to 255"))
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
    fn each_form_has_one_over_tls() {
        for (text, is_encrypted) in [
            ("redis://h", false),
            ("rediss://h", true),
            ("redis-cluster://h", false),
            ("rediss-cluster://h", true),
            ("redis-cluster+tls://h", true),
            ("redis-sentinel://h/main", false),
            ("rediss-sentinel://h/main", true),
            ("redis-sentinel+tls://h/main", true),
        ] {
            assert_eq!(RedisAddress::parse(text).unwrap().wants_tls(), is_encrypted, "{text}");
        }
    }

    #[test]
    fn only_a_single_server_has_numbered_databases() {
        let database = |text: &str| RedisAddress::parse(text).map(|it| it.access.database);
        assert_eq!([database("redis://h/2"), database("redis://h")], [Ok(2), Ok(0)]);
        for bad in ["redis://h/x", "redis://h/256", "redis-cluster://h/1", "rediss-cluster://h/0"] {
            assert!(database(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sentinels_have_a_user_of_their_own() {
        let address = || RedisAddress::parse("redis-sentinel://shop:secret@h/main").unwrap();
        assert!(address().sentinels.credentials.is_none());
        let entered = address().with_sentinel_credentials("watch", "hidden");
        assert!(entered.has_sentinels());
        let credentials = entered.sentinels.credentials.unwrap();
        assert_eq!(
            (credentials.user.as_deref(), &*credentials.password),
            (Some("watch"), "hidden")
        );
        let nameless = address().with_sentinel_credentials("", "hidden");
        assert_eq!(nameless.sentinels.credentials.unwrap().user, None);
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let address = RedisAddress::parse("redis://boxoffice:p%40ss%3Aw@h:1").unwrap();
        let credentials = address.access.credentials.as_ref().unwrap();
        assert_eq!(credentials.user.as_deref(), Some("boxoffice"));
        assert_eq!(credentials.password, "p@ss:w");
        assert_eq!(
            RedisAddress::parse("redis://:x@h").unwrap().access.credentials.unwrap().user,
            None
        );
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
