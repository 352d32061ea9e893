//! The role a server reports, and the addresses it reports for others.

use fred::types::Value;

use crate::address::Node;
use crate::queue_reply::array;

/// A server's role, read from its answer to `ROLE`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Primary,
    ReplicaOf(Node),
    Other,
}

impl Role {
    pub(crate) fn of(role: &Value, requested: &Node) -> Self {
        let [kind, rest @ ..] = array(role) else { return Self::Other };
        match (kind.as_string().as_deref(), rest) {
            (Some("master"), _) => Self::Primary,
            (Some("slave"), [host, port, ..]) => {
                let primary =
                    address_in(&Value::Array(vec![host.clone(), port.clone()]), requested);
                primary.map_or(Self::Other, Self::ReplicaOf)
            }
            _ => Self::Other,
        }
    }
}

/// Host and port at the start of a list. A node that does not know its own name means the host it
/// was reached at.
pub(crate) fn address_in(value: &Value, requested: &Node) -> Option<Node> {
    let [host, port, ..] = array(value) else { return None };
    let host = host.as_string().filter(|host| !host.is_empty() && host != "?");
    let port = u16::try_from(port.as_i64()?).ok()?;
    Some(Node { host: host.unwrap_or_else(|| requested.host.clone()), port })
}
