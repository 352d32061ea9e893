//! Counts of joins, claims and ends of places.

/// Counts by the store of what happened to places since the queue began. Each event counts once,
/// for any number of nodes. The counts only grow while the store keeps its data; after a loss they
/// may restart from lower values.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct OutcomeCounts {
    /// Numbers issued.
    pub joined: u64,
    /// Calls that were turned into sessions.
    pub claimed: u64,
    /// Calls that lapsed unclaimed.
    pub lapsed: u64,
    /// Places, calls and sessions that were released.
    pub left: u64,
    /// Sessions that lasted to their end.
    pub ended: u64,
}
