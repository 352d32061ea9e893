//! Client connections: how many are open, how they end, and what is refused on them.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Connections open now; `listener` is `public` or `operations`.
pub static OPEN: Metric = Metric {
    name: "boxoffice.connections.open",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Connections open now; `listener` is `public` or `operations`.",
    labels: &["listener"],
};

/// Maximum number of open connections, over all workers of the listener.
pub static LIMIT: Metric = Metric {
    name: "boxoffice.connections.limit",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Maximum number of open connections, over all workers of the listener.",
    labels: &["listener"],
};

/// Connections that ended, by reason.
pub static ENDED: Metric = Metric {
    name: "boxoffice.connections.ended",
    kind: Kind::Counter,
    unit: "{connection}",
    about: "Connections that ended, by `reason`: `done` (by the client, or after an answer that \
            announced it), `idle`, `request_timeout` (a head, or the rest of a body, did not \
            arrive), `answer_timeout` (the client did not read an answer), `shed` (the idlest, to \
            make room), `malformed` (not HTTP), `address` (refused: its address has too many \
            connections, or sent too much that is not HTTP).",
    labels: &["listener", "reason"],
};

/// Input refused with a bare status before it became a request.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.connections.refused",
    kind: Kind::Counter,
    unit: "{refusal}",
    about: "Input refused with a bare status before it became a request: 400 is not HTTP, 408 a \
            head that did not arrive in time, 431 a head that is too long. Not counted as \
            requests.",
    labels: &["listener", "status"],
};

pub(super) const FAMILY: Family =
    Family { title: "Connections", metrics: &[&OPEN, &LIMIT, &ENDED, &REFUSED] };
