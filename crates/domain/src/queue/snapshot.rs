//! What a store reports of its queue.

use super::{Incarnations, Occupancy, OutcomeCounts, QueueCounters, QueueTime, VacantNumbers};

/// A store's report on its queue at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The highest number issued and the highest number called.
    pub counters: QueueCounters,
    /// All numbers without a waiting person.
    pub vacant: VacantNumbers,
    /// Open calls: not claimed and not lapsed.
    pub called: u64,
    /// Running sessions.
    pub active: u64,
    /// Counts of joins, claims, lapses, releases and ends so far.
    pub outcomes: OutcomeCounts,
    /// The use of the slots.
    pub occupancy: Occupancy,
    /// Rises each time the store cannot rule out a loss of data; see "Floors" at
    /// [`QueueStore`](super::QueueStore).
    pub generation: u64,
    /// The incarnations whose tokens the store accepts; empty while the store does not know them.
    pub incarnations: Incarnations,
    /// Whether the store, which found no earlier incarnation, would still adopt that of a token.
    pub adopts: bool,
    /// Whether a checkpoint was read in this generation; see
    /// [`QueueStore::settle`](super::QueueStore::settle).
    pub is_settled: bool,
    /// Whether the store may have lost data and waits for its witnesses.
    pub recovers: bool,
    /// Whether the calling node may issue numbers: the store is not in doubt, and trusts the node.
    pub may_join: bool,
    /// The moment of the report, in the queue's own time.
    pub at: QueueTime,
}
