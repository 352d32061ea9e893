//! What the limits have done so far.

/// What the limits have done since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OverloadCounts {
    /// Joining and leaving.
    pub joining: GateCounts,
    /// Asking where one stands.
    pub asking: GateCounts,
    /// The concert list and the dates.
    pub reading: GateCounts,
    /// Joins refused because the user had joined too often.
    pub per_user_refused: u64,
    /// Requests refused because too many came from the address, or from the network it is in.
    pub per_address_refused: u64,
    /// Joins refused because too many came from the address, or from the network it is in.
    pub joining_per_address_refused: u64,
    /// Questions refused because they came much more often than told.
    pub polling_refused: u64,
}

/// What the limit on one class of requests has done; all zero where there is no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GateCounts {
    /// Requests let through at once.
    pub passed: u64,
    /// Requests let through after a wait.
    pub waited: u64,
    /// Requests refused.
    pub refused: u64,
    /// Requests at work now.
    pub at_work: u64,
    /// Requests waiting now.
    pub waiting: u64,
}
