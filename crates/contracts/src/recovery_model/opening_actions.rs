//! Openings of searches: they put the queue in use, so that the search spends its depth on
//! failures.

use super::action::{Action, Shown, StoreCall};

fn joins(node: usize, user: u64) -> Action {
    Action::Do { node, call: StoreCall::Join { user, shown: None } }
}

/// Both nodes can give numbers.
#[must_use]
pub fn ready() -> Vec<Action> {
    vec![Action::Refresh(0), Action::Refresh(1), Action::Pass(3), Action::Pass(3), Action::Pass(3)]
}

/// This many users have joined, alternating between the two nodes.
#[must_use]
pub fn joined(users: u64) -> Vec<Action> {
    let mut actions = ready();
    actions.extend((1..=users).map(|user| joins(usize::from(user % 2 == 0), user)));
    actions
}

/// As [`joined`], and the first user has a session.
#[must_use]
pub fn one_inside(users: u64) -> Vec<Action> {
    let mut actions = joined(users);
    actions.push(Action::Do { node: 0, call: StoreCall::Claim(Shown { user: 1, number: 1 }) });
    actions
}

/// Both nodes have read and saved a checkpoint.
#[must_use]
pub fn reserved() -> Vec<Action> {
    let mut actions = ready();
    actions.extend([
        Action::Do { node: 0, call: StoreCall::Settle },
        Action::Do { node: 1, call: StoreCall::Settle },
    ]);
    actions.extend([Action::Refresh(0), Action::Refresh(1), Action::Pass(3), Action::Pass(3)]);
    actions.extend([Action::Save(0), Action::Save(1)]);
    actions
}

/// The store is lost after [`reserved`], and the reserved numbers are skipped.
#[must_use]
pub fn skipped() -> Vec<Action> {
    let settle = |node| Action::Do { node, call: StoreCall::Settle };
    let lost = [Action::Lose, Action::Refresh(0), Action::Refresh(1), settle(0), settle(1)];
    [&reserved()[..], &lost, &[Action::Pass(3); 2]].concat()
}

/// As [`reserved`], and this many users have joined.
#[must_use]
pub fn reserved_and_joined(users: u64) -> Vec<Action> {
    let mut actions = reserved();
    actions.extend((1..=users).map(|user| joins(usize::from(user % 2 == 0), user)));
    actions
}
