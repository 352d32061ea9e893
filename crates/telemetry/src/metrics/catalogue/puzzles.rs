//! What a client solves before joining.

use crate::metrics::catalogue::Family;
use crate::metrics::{Kind, Metric};

/// Bits of the puzzle that a join takes now; 0 is none.
pub static BITS: Metric = Metric {
    name: "boxoffice.join_puzzle.bits",
    kind: Kind::Gauge,
    unit: "{bit}",
    about: "Bits of the puzzle that a join takes now; 0 is none.",
    labels: &[],
};

/// People a second who want to join, as the difficulty of the puzzles follows them.
pub static RATE: Metric = Metric {
    name: "boxoffice.join_puzzle.join_rate",
    kind: Kind::Gauge,
    unit: "{person}",
    about: "People a second who want to join, as the difficulty of the puzzles follows them; 0 where puzzles are off.",
    labels: &[],
};

/// Joins let through while a puzzle is asked for.
pub static PASSED: Metric = Metric {
    name: "boxoffice.join_puzzle.passed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins let through while a puzzle is asked for; `by` is `solved`, or `rejoined` with the token of a place.",
    labels: &["by"],
};

/// Joins refused for want of a good solution.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.join_puzzle.refused",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins refused for want of a good solution; `reason` is `unanswered` where none was shown, or what was wrong with it.",
    labels: &["reason"],
};

pub(super) const FAMILY: Family =
    Family { title: "Join puzzles", metrics: &[&BITS, &RATE, &PASSED, &REFUSED] };
