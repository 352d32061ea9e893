//! What a run of the model begins with, and what may happen in it.

use std::time::Duration;

use domain::queue::{AdmissionPolicy, InvalidPolicy, PolicySpec};

use super::fault::Fault;

/// How often each kind of event may happen in one run; this bounds the space.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Budgets {
    /// Losses, restarts, promotions, steps of the clock and stops of nodes, all together.
    pub faults: u8,
    /// Stores that are lost with all data.
    pub losses: u8,
    /// Restarts with all data.
    pub restarts: u8,
    /// Copies that take over.
    pub promotions: u8,
    /// Steps of the server's clock.
    pub clock_steps: u8,
    /// Nodes that stop.
    pub stops: u8,
    /// Nodes that start.
    pub starts: u8,
    /// Requests and answers that are late.
    pub late: u8,
    /// Refreshes that are not followed by the replay they ask for.
    pub looks: u8,
    /// Joins, those of returning users among them.
    pub joins: u8,
    /// Claims.
    pub claims: u8,
    /// Places given up.
    pub leaves: u8,
    /// Seconds that pass.
    pub seconds: u8,
    /// Checkpoints saved and settled by hand.
    pub settles: u8,
    /// Tokens of a rehearsal that visitors show.
    pub shows: u8,
}

/// A policy, nodes, users and budgets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// The policy of the queue.
    pub policy: PolicySpec,
    /// The pause of a doubt.
    pub recovery: Duration,
    /// Nodes.
    pub nodes: usize,
    /// Users.
    pub users: u64,
    /// Whether numbers are reserved in a checkpoint.
    pub needs_checkpoint: bool,
    /// What may happen.
    pub budgets: Budgets,
    /// What is wrong, if anything.
    pub fault: Option<Fault>,
}

/// How many numbers are reserved beyond the last.
pub(super) const RESERVE: u64 = 4;

/// Times that one second tells apart: a doubt is over when two have passed, an unclaimed call when
/// three have, a session when four have.
#[must_use]
pub fn brief(max_active: u32) -> PolicySpec {
    PolicySpec {
        batch: 5,
        every: Duration::from_millis(1),
        max_active,
        claim_within: Duration::from_millis(2_500),
        session_ttl: Duration::from_millis(3_500),
        max_waiting: 100,
    }
}

/// Nothing may happen.
pub const NOTHING: Budgets = Budgets {
    faults: 0,
    losses: 0,
    restarts: 0,
    promotions: 0,
    clock_steps: 0,
    stops: 0,
    starts: 0,
    late: 0,
    looks: 0,
    joins: 0,
    claims: 0,
    leaves: 0,
    seconds: 0,
    settles: 0,
    shows: 0,
};

/// Everything may happen as often as it likes.
pub(super) const UNBOUNDED: Budgets = Budgets {
    faults: u8::MAX,
    losses: u8::MAX,
    restarts: u8::MAX,
    promotions: u8::MAX,
    clock_steps: u8::MAX,
    stops: u8::MAX,
    starts: u8::MAX,
    late: u8::MAX,
    looks: u8::MAX,
    joins: u8::MAX,
    claims: u8::MAX,
    leaves: u8::MAX,
    seconds: u8::MAX,
    settles: u8::MAX,
    shows: u8::MAX,
};

impl Scene {
    /// Two nodes and three users, of whom `max_active` fit inside, and any `faults` faults.
    #[must_use]
    pub fn of_all(max_active: u32, faults: u8) -> Self {
        Self {
            name: "all faults",
            policy: brief(max_active),
            recovery: Duration::from_millis(1_500),
            nodes: 2,
            users: 3,
            needs_checkpoint: false,
            budgets: Budgets {
                faults,
                losses: faults,
                restarts: 1,
                promotions: faults,
                clock_steps: 1,
                stops: 1,
                starts: 1,
                late: 1,
                looks: 1,
                joins: 6,
                claims: 4,
                leaves: 2,
                seconds: 14,
                settles: 0,
                shows: 2,
            },
            fault: None,
        }
    }

    /// Nothing fails, and people come and go.
    #[must_use]
    pub fn of_use() -> Self {
        let budgets = Budgets { joins: 4, claims: 3, leaves: 2, seconds: 8, late: 1, ..NOTHING };
        Self { name: "use", budgets, ..Self::of_all(1, 0) }
    }

    /// Stores are lost with all data, and nodes stop and start.
    #[must_use]
    pub fn of_losses() -> Self {
        let faults = Budgets { faults: 2, losses: 2, stops: 1, starts: 1, ..NOTHING };
        let budgets = Budgets { looks: 1, joins: 2, claims: 1, leaves: 1, seconds: 4, ..faults };
        Self { name: "losses", budgets, ..Self::of_all(1, 2) }
    }

    /// Copies take over, and servers restart.
    #[must_use]
    pub fn of_copies() -> Self {
        let faults = Budgets { faults: 2, promotions: 2, restarts: 1, ..NOTHING };
        let budgets = Budgets { joins: 2, claims: 1, leaves: 1, seconds: 4, ..faults };
        Self { name: "copies", budgets, ..Self::of_all(2, 2) }
    }

    /// One request or answer is late while something fails.
    #[must_use]
    pub fn of_late_messages() -> Self {
        let faults = Budgets { faults: 1, losses: 1, promotions: 1, restarts: 1, ..NOTHING };
        let budgets = Budgets { late: 1, joins: 2, claims: 1, leaves: 1, seconds: 2, ..faults };
        Self { name: "late messages", budgets, ..Self::of_all(1, 1) }
    }

    /// Clocks step.
    #[must_use]
    pub fn of_clocks() -> Self {
        let faults = Budgets { faults: 2, clock_steps: 2, losses: 1, promotions: 1, ..NOTHING };
        let budgets = Budgets { joins: 1, claims: 1, leaves: 1, seconds: 4, ..faults };
        Self { name: "clocks", budgets, ..Self::of_all(1, 2) }
    }

    /// Numbers are reserved in a checkpoint.
    #[must_use]
    pub fn of_checkpoints() -> Self {
        let faults =
            Budgets { faults: 2, losses: 2, promotions: 1, stops: 2, starts: 2, ..NOTHING };
        let budgets = Budgets { joins: 2, claims: 1, seconds: 3, settles: 3, ..faults };
        Self { name: "checkpoints", budgets, needs_checkpoint: true, ..Self::of_all(1, 2) }
    }

    /// Visitors show tokens of a rehearsal.
    #[must_use]
    pub fn of_visitors() -> Self {
        let faults = Budgets { faults: 1, losses: 1, promotions: 1, ..NOTHING };
        let budgets = Budgets { shows: 2, joins: 2, claims: 1, seconds: 3, ..faults };
        Self { name: "visitors", budgets, ..Self::of_all(1, 1) }
    }

    /// A third node.
    #[must_use]
    pub fn of_three_nodes() -> Self {
        let faults =
            Budgets { faults: 2, losses: 1, promotions: 1, stops: 1, starts: 1, ..NOTHING };
        let budgets = Budgets { joins: 1, claims: 1, leaves: 1, seconds: 3, ..faults };
        Self { name: "three nodes", nodes: 3, budgets, ..Self::of_all(1, 2) }
    }

    /// The same with this fault in it.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub(super) fn policy(&self) -> Result<AdmissionPolicy, InvalidPolicy> {
        AdmissionPolicy::new(self.policy)
    }
}
