//! Counters of the limits.

/// Counts of all limits since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OverloadCounts {
    /// Joins and leaves.
    pub joining: LimiterCounts,
    /// Status queries.
    pub asking: LimiterCounts,
    /// The concert list and the dates.
    pub reading: LimiterCounts,
    /// Joins refused by the limit per user.
    pub per_user_refused: u64,
    /// Requests refused by the limit per address or network.
    pub per_address_refused: u64,
    /// Joins refused by the limit per address or network.
    pub joining_per_address_refused: u64,
    /// Status queries refused by the polling limit.
    pub polling_refused: u64,
}

/// Counts of the limit on one class of requests; all zero if it is disabled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LimiterCounts {
    /// Requests admitted at once.
    pub passed: u64,
    /// Requests admitted after a wait.
    pub waited: u64,
    /// Requests refused.
    pub refused: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// Requests waiting now.
    pub waiting: u64,
}
