//! Faults that are put into the protocol on purpose: a model that misses them proves nothing.

/// One part of the protocol, left out or done wrong in the driver around the code of `domain`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Fault {
    /// A node does not replay what it remembers.
    NoReplay,
    /// A replay lacks who holds which number.
    HoldersForgotten,
    /// A replay lacks the sessions.
    SessionsForgotten,
    /// A replay lacks calls and sessions that were released.
    ReleasedForgotten,
    /// A replay lacks the numbers that were abandoned while waiting.
    AbandonedForgotten,
    /// A step carries no witness.
    WitnessNotSent,
    /// A witness does not say which calls are over.
    LapsedForgotten,
    /// A node does not notice that the generation of the store is another.
    GenerationIgnored,
    /// A claim is granted to any user who shows the number.
    ClaimByAnybody,
    /// Each node that settles a checkpoint skips a reserve of its own.
    CheckpointPerNode,
    /// The queue's time is the server's clock.
    ServerClock,
    /// A doubt is over as soon as it begins.
    DoubtEndsEarly,
    /// A node gives numbers before it has replayed what it remembers.
    JoinsBeforeReplay,
    /// Another server process is taken for the one before.
    RestartUnnoticed,
    /// What a visitor's token shows is taken for what the node knows.
    ShownIsWitness,
    /// A token is good whatever life of the queue it is of.
    TokenOfAnyLife,
}

impl Fault {
    /// Each of them.
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
