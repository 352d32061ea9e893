//! Faults that are seeded into the protocol to check that the model detects them.

/// One part of the protocol that the driver around the code of `domain` omits or does wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// A node does not replay its local state.
    NoReplay,
    /// A replay lacks the holders of numbers.
    HoldersForgotten,
    /// A replay lacks the sessions.
    SessionsForgotten,
    /// A replay lacks the released calls and sessions.
    ReleasedForgotten,
    /// A replay lacks the numbers that were abandoned while waiting.
    AbandonedForgotten,
    /// A request carries no witness.
    WitnessNotSent,
    /// A witness does not say which calls have ended.
    LapsedForgotten,
    /// A node does not notice a change of the store's generation.
    GenerationIgnored,
    /// A claim is granted to any user who shows the number.
    ClaimByAnybody,
    /// Each node that settles a checkpoint skips a reserve of its own.
    CheckpointPerNode,
    /// The queue's time is the server's clock.
    ServerClock,
    /// A recovery ends as soon as it begins.
    DoubtEndsEarly,
    /// A node gives numbers before it has replayed its local state.
    JoinsBeforeReplay,
    /// A new server process is treated as the previous one.
    RestartUnnoticed,
    /// The number in a visitor's token counts as the node's own knowledge.
    ShownIsWitness,
    /// A token is valid for any incarnation of the queue.
    TokenOfAnyLife,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 16] = [
        Self::NoReplay,
        Self::HoldersForgotten,
        Self::SessionsForgotten,
        Self::ReleasedForgotten,
        Self::AbandonedForgotten,
        Self::WitnessNotSent,
        Self::LapsedForgotten,
        Self::GenerationIgnored,
        Self::ClaimByAnybody,
        Self::CheckpointPerNode,
        Self::ServerClock,
        Self::DoubtEndsEarly,
        Self::JoinsBeforeReplay,
        Self::RestartUnnoticed,
        Self::ShownIsWitness,
        Self::TokenOfAnyLife,
    ];
}
