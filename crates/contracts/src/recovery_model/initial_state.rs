//! The start of a run of the model, and the events that can happen in it.

use std::time::Duration;

use domain::queue::{AdmissionPolicy, InvalidPolicy, PolicySpec};

use super::fault::Fault;

/// The maximum number of events of each kind in one run, which bounds the state space.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Budgets {
    /// Losses, restarts, promotions, clock steps and node stops together.
    pub faults: u8,
    /// Losses of the store with all data.
    pub losses: u8,
    /// Restarts that keep all data.
    pub restarts: u8,
    /// Promotions of a copy.
    pub promotions: u8,
    /// Steps of the server's clock.
    pub clock_steps: u8,
    /// Stops of nodes.
    pub stops: u8,
    /// Starts of nodes.
    pub starts: u8,
    /// Delayed requests and answers.
    pub late: u8,
    /// Refreshes without the replay that they request.
    pub refreshes: u8,
    /// Joins, including those of returning users.
    pub joins: u8,
    /// Claims.
    pub claims: u8,
    /// Leaves.
    pub leaves: u8,
    /// Seconds of time.
    pub seconds: u8,
    /// Checkpoints saved and settled by hand.
    pub settles: u8,
    /// Rehearsal tokens shown by visitors.
    pub shows: u8,
}

/// A policy, nodes, users and budgets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// The policy of the queue.
    pub policy: PolicySpec,
    /// The recovery time of the store.
    pub recovery: Duration,
    /// The number of nodes.
    pub nodes: usize,
    /// The number of users.
    pub users: u64,
    /// Whether numbers are reserved in a checkpoint.
    pub needs_checkpoint: bool,
    /// The events that can happen.
    pub budgets: Budgets,
    /// The seeded fault, if any.
    pub fault: Option<Fault>,
}

/// The number of queue numbers reserved beyond the last one.
pub(super) const RESERVE: u64 = 4;

/// Durations that differ in whole seconds: a recovery ends after two seconds, an unclaimed call
/// after three, a session after four.
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

/// No events.
pub const NOTHING: Budgets = Budgets {
    faults: 0,
    losses: 0,
    restarts: 0,
    promotions: 0,
    clock_steps: 0,
    stops: 0,
    starts: 0,
    late: 0,
    refreshes: 0,
    joins: 0,
    claims: 0,
    leaves: 0,
    seconds: 0,
    settles: 0,
    shows: 0,
};

/// No limits.
pub(super) const UNBOUNDED: Budgets = Budgets {
    faults: u8::MAX,
    losses: u8::MAX,
    restarts: u8::MAX,
    promotions: u8::MAX,
    clock_steps: u8::MAX,
    stops: u8::MAX,
    starts: u8::MAX,
    late: u8::MAX,
    refreshes: u8::MAX,
    joins: u8::MAX,
    claims: u8::MAX,
    leaves: u8::MAX,
    seconds: u8::MAX,
    settles: u8::MAX,
    shows: u8::MAX,
};

impl Scene {
    /// Two nodes, three users, `max_active` slots, and up to `faults` faults of any kind.
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
                refreshes: 1,
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

    /// No faults: users join, claim and leave.
    #[must_use]
    pub fn of_use() -> Self {
        let budgets = Budgets { joins: 4, claims: 3, leaves: 2, seconds: 8, late: 1, ..NOTHING };
        Self { name: "use", budgets, ..Self::of_all(1, 0) }
    }

    /// The store is lost with all data, and nodes stop and start.
    #[must_use]
    pub fn of_losses() -> Self {
        let faults = Budgets { faults: 2, losses: 2, stops: 1, starts: 1, ..NOTHING };
        let budgets =
            Budgets { refreshes: 1, joins: 2, claims: 1, leaves: 1, seconds: 4, ..faults };
        Self { name: "losses", budgets, ..Self::of_all(1, 2) }
    }

    /// Copies are promoted, and servers restart.
    #[must_use]
    pub fn of_copies() -> Self {
        let faults = Budgets { faults: 2, promotions: 2, restarts: 1, ..NOTHING };
        let budgets = Budgets { joins: 2, claims: 1, leaves: 1, seconds: 4, ..faults };
        Self { name: "copies", budgets, ..Self::of_all(2, 2) }
    }

    /// One request or answer is delayed while something fails.
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

    /// The same scene with this fault.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub(super) fn policy(&self) -> Result<AdmissionPolicy, InvalidPolicy> {
        AdmissionPolicy::new(self.policy)
    }
}
