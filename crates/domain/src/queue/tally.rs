//! How places came to an end, counted.

/// What has become of calls, sessions and places since the line began, counted by the store: each once, however many nodes
/// look. The counts only grow while the store keeps its data; after a loss they may begin again, lower than they were.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Tally {
    /// Numbers that were given.
    pub joined: u64,
    /// Calls that were turned into sessions.
    pub claimed: u64,
    /// Calls that nobody claimed in time.
    pub lapsed: u64,
    /// Places, calls and sessions that were given back.
    pub left: u64,
    /// Sessions that lasted to their end.
    pub ended: u64,
}
