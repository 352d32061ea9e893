//! What a node sees of its line, for whoever watches the node.

use std::time::Duration;

use super::{Line, Tally};
use crate::Timestamp;

/// What a node sees of its line. Its parts are read one after the other, so two of them may be an instant apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The line as far as this node has seen it.
    pub line: Line,
    /// People who wait for their call: numbers, without those given back.
    pub waiting: u64,
    /// Calls that stand and are not claimed yet, as of the last step.
    pub called: u64,
    /// Sessions that run, as of the last step.
    pub active: u64,
    /// Whether the store may have lost something and calls nobody for a moment, as of the last step.
    pub recovers: bool,
    /// Whether this node may give numbers, as of the last step.
    pub may_join: bool,
    /// What has become of places, as of the last step.
    pub tally: Tally,
    /// How old the view is; `None` before the first step.
    pub age: Option<Duration>,
    /// How old it may be before answers say so and nobody is let in.
    pub stale_after: Duration,
    /// Calls and sessions there may be at once.
    pub max_active: u32,
    /// When the last step that succeeded was begun, by the clock of the service; `None` before the first.
    pub last_step: Option<Timestamp>,
    /// People called by the steps of this node so far; whom a join called is in none of them.
    pub people_called: u64,
}
