//! The puzzle a client solves before joining.

use crate::metrics::catalog::Family;
use crate::metrics::{Kind, Metric};

/// Difficulty in bits of the puzzle that a join requires now; 0 means none.
pub static BITS: Metric = Metric {
    name: "boxoffice.join_puzzle.bits",
    kind: Kind::Gauge,
    unit: "{bit}",
    about: "Difficulty in bits of the puzzle that a join requires now; 0 means none.",
    labels: &[],
};

/// People per second who try to join, which sets the difficulty of the puzzles; 0 if puzzles are
/// off.
pub static RATE: Metric = Metric {
    name: "boxoffice.join_puzzle.join_rate",
    kind: Kind::Gauge,
    unit: "{person}",
    about: "People per second who try to join, which sets the difficulty of the puzzles; 0 if \
            puzzles are off.",
    labels: &[],
};

/// Joins accepted while puzzles are required; `by` is `solved`, or `rejoined` with the token of a
/// place.
pub static PASSED: Metric = Metric {
    name: "boxoffice.join_puzzle.passed",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins accepted while puzzles are required; `by` is `solved`, or `rejoined` with the \
            token of a place.",
    labels: &["by"],
};

/// Joins refused without a valid solution; `reason` is `unanswered` if none was sent, or the defect
/// of the solution.
pub static REFUSED: Metric = Metric {
    name: "boxoffice.join_puzzle.refused",
    kind: Kind::Counter,
    unit: "{request}",
    about: "Joins refused without a valid solution; `reason` is `unanswered` if none was sent, or \
            the defect of the solution.",
    labels: &["reason"],
};

pub(super) const FAMILY: Family =
    Family { title: "Join puzzles", metrics: &[&BITS, &RATE, &PASSED, &REFUSED] };
