//! Connections of clients: how many there are, how they end, and what is refused on them.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// Connections open now; `listener` is `public` or `operations`.
pub static OPEN: Metric = Metric {
    name: "boxoffice.connections.open",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Connections open now; `listener` is `public` or `operations`.",
    labels: &["listener"],
};

/// Connections that may be open; over all workers of the listener.
pub static LIMIT: Metric = Metric {
    name: "boxoffice.connections.limit",
    kind: Kind::Gauge,
    unit: "{connection}",
    about: "Connections that may be open, over all workers of the listener.",
    labels: &["listener"],
};

/// Connections that ended, by reason.
pub static ENDED: Metric = Metric {
    name: "boxoffice.connections.ended",
    kind: Kind::Counter,
    unit: "{connection}",
    about: "Connections that ended, by `reason`: `done` (by the client, or after an answer that said \
        so), `idle`, `request_timeout` (a head, or the rest of a body, did not come), \
        `answer_timeout` (an answer was not read), `shed` (the idlest, for want of room), \
        `malformed` (no HTTP), `address` (refused: its address has too many, or sent too much that \
        is no HTTP).",
    labels: &["listener", "reason"],
};

/// What was refused with a bare status before it was a request.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.connections.refused",
    kind: Kind::Counter,
    unit: "{refusal}",
    about: "What was refused with a bare status before it was a request: 400 is no HTTP, 408 a \
        head that did not come in time, 431 one that is too long. Not among the requests.",
    labels: &["listener", "status"],
};

pub(super) const FAMILY: Family =
    Family { title: "Connections", metrics: &[&OPEN, &LIMIT, &ENDED, &REFUSED] };
