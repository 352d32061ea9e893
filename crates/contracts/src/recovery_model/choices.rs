//! The possible next actions of a run, within its budgets.

use super::action::{Action, INTRUDER, Shown, StoreCall};
use super::initial_state::Budgets;
use super::ledger::Fate;
use super::run_state::{Flight, World};
use super::server::Node;

/// Numbers of rehearsal tokens: one that a run also gives, and one that it does not.
const REHEARSED: [u64; 2] = [2, 50];

impl World {
    /// The possible next actions, within the budgets.
    #[must_use]
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let left = self.left;
        let up: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()).collect();
        for &node in &up {
            self.add_asks(node, &mut actions);
        }
        if left.seconds > 0 {
            let all = up.iter().fold(0, |mask, node| mask | 1 << node);
            actions.push(Action::Pass(all));
            if up.len() > 1 {
                actions.extend(up.iter().map(|node| Action::Pass(1 << node)));
            }
            if !up.is_empty() {
                actions.push(Action::Pass(0));
            }
        }
        match self.flight.as_deref() {
            Some(Flight { reply: None, .. }) => actions.extend([Action::Execute, Action::Drop]),
            Some(Flight { reply: Some(_), .. }) => actions.extend([Action::Deliver, Action::Drop]),
            None => {}
        }
        if left.faults > 0 {
            if left.losses > 0 {
                actions.push(Action::Lose);
            }
            if left.restarts > 0 {
                actions.push(Action::Restart);
            }
            if left.clock_steps > 0 {
                actions.extend([Action::Clock(60), Action::Clock(-60)]);
            }
            if left.stops > 0 {
                actions.extend(up.iter().map(|node| Action::Stop(*node)));
            }
            if left.promotions > 0 {
                actions.push(if self.copy.is_none() { Action::Copy } else { Action::Promote });
            }
        }
        if left.starts > 0 {
            let down = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_none());
            actions.extend(down.map(Action::Start));
        }
        actions
    }

    fn add_asks(&self, node: usize, actions: &mut Vec<Action>) {
        let left = self.left;
        let mut calls = Vec::new();
        // Users who never joined are interchangeable.
        let known =
            (1..=self.scene.users).take_while(|user| self.ledger.token(*user).is_some()).count();
        for user in 1..=self.scene.users.min(known as u64 + 1) {
            let token = self.ledger.token(user);
            let is_over = |fate| matches!(fate, Fate::Left | Fate::Over);
            if left.joins > 0 {
                match token {
                    None => calls.push(StoreCall::Join { user, shown: None }),
                    Some(token) => {
                        let shown = Some(token.number.get());
                        calls.extend([
                            StoreCall::Join { user, shown },
                            StoreCall::Join { user, shown: None },
                        ]);
                    }
                }
            }
            let Some(token) = token else { continue };
            let shown = Shown { user, number: token.number.get() };
            if left.claims > 0 && shown.number <= self.server.state.marks().counters.serving() {
                calls.push(StoreCall::Claim(shown));
            }
            if left.leaves > 0 && !is_over(token.fate) {
                calls.push(StoreCall::Leave(shown));
            }
        }
        if left.settles > 0 && self.scene.needs_checkpoint {
            calls.push(StoreCall::Settle);
            actions.push(Action::Save(node));
        }
        if left.shows > 0 {
            for number in REHEARSED {
                actions.push(Action::Show { node, number });
                calls.push(StoreCall::Claim(Shown { user: INTRUDER, number }));
            }
        }
        if left.refreshes > 0 {
            actions.push(Action::Do { node, call: StoreCall::Snapshot });
        }
        if self.fresh >> node & 1 == 0 {
            actions.push(Action::Refresh(node));
        }
        if left.late > 0 && self.flight.is_none() {
            let replay =
                self.nodes[node].as_ref().and_then(Node::to_replay).map(|_| StoreCall::Replay);
            let late = calls.iter().copied().chain([StoreCall::Snapshot]).chain(replay);
            actions.extend(late.map(|call| Action::Send { node, call }));
        }
        actions.extend(calls.into_iter().map(|call| Action::Do { node, call }));
    }

    /// Subtracts an action from its budgets.
    pub(super) fn spend(&mut self, action: Action) -> Option<()> {
        let left = &mut self.left;
        let is_fault = matches!(
            action,
            Action::Lose | Action::Restart | Action::Promote | Action::Clock(_) | Action::Stop(_)
        );
        if is_fault {
            left.faults = left.faults.checked_sub(1)?;
        }
        let call = |left: &mut Budgets, call| match call {
            StoreCall::Snapshot => left.refreshes.checked_sub(1).map(|rest| left.refreshes = rest),
            StoreCall::Replay => Some(()),
            StoreCall::Join { .. } => left.joins.checked_sub(1).map(|rest| left.joins = rest),
            StoreCall::Claim(Shown { user: INTRUDER, .. }) => {
                left.shows.checked_sub(1).map(|rest| left.shows = rest)
            }
            StoreCall::Claim(_) => left.claims.checked_sub(1).map(|rest| left.claims = rest),
            StoreCall::Leave(_) => left.leaves.checked_sub(1).map(|rest| left.leaves = rest),
            StoreCall::Settle => left.settles.checked_sub(1).map(|rest| left.settles = rest),
        };
        match action {
            Action::Do { call: requested, .. } => call(left, requested)?,
            Action::Send { call: requested, .. } => {
                left.late = left.late.checked_sub(1)?;
                if requested != StoreCall::Snapshot {
                    call(left, requested)?;
                }
            }
            Action::Show { .. } => left.shows = left.shows.checked_sub(1)?,
            Action::Pass(_) => left.seconds = left.seconds.checked_sub(1)?,
            Action::Lose => left.losses = left.losses.checked_sub(1)?,
            Action::Restart => left.restarts = left.restarts.checked_sub(1)?,
            Action::Promote => left.promotions = left.promotions.checked_sub(1)?,
            Action::Clock(_) => left.clock_steps = left.clock_steps.checked_sub(1)?,
            Action::Stop(_) => left.stops = left.stops.checked_sub(1)?,
            Action::Start(_) => left.starts = left.starts.checked_sub(1)?,
            Action::Save(_) => left.settles = left.settles.checked_sub(1)?,
            Action::Refresh(_)
            | Action::Execute
            | Action::Deliver
            | Action::Drop
            | Action::Copy => {}
        }
        Some(())
    }
}
