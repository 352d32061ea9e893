//! The possible next actions of a run, within its budgets.

use super::action::{Action, Ask, INTRUDER, Shown};
use super::ledger::Fate;
use super::scene::Budgets;
use super::server::Node;
use super::world::{Flight, World};

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
        let mut asks = Vec::new();
        // Users who never joined are interchangeable.
        let known =
            (1..=self.scene.users).take_while(|user| self.ledger.token(*user).is_some()).count();
        for user in 1..=self.scene.users.min(known as u64 + 1) {
            let token = self.ledger.token(user);
            let is_over = |fate| matches!(fate, Fate::Left | Fate::Over);
            if left.joins > 0 {
                match token {
                    None => asks.push(Ask::Join { user, shown: None }),
                    Some(token) => {
                        let shown = Some(token.number.get());
                        asks.extend([Ask::Join { user, shown }, Ask::Join { user, shown: None }]);
                    }
                }
            }
            let Some(token) = token else { continue };
            let shown = Shown { user, number: token.number.get() };
            if left.claims > 0 && shown.number <= self.server.state.marks().line.serving() {
                asks.push(Ask::Claim(shown));
            }
            if left.leaves > 0 && !is_over(token.fate) {
                asks.push(Ask::Leave(shown));
            }
        }
        if left.settles > 0 && self.scene.needs_checkpoint {
            asks.push(Ask::Settle);
            actions.push(Action::Save(node));
        }
        if left.shows > 0 {
            for number in REHEARSED {
                actions.push(Action::Show { node, number });
                asks.push(Ask::Claim(Shown { user: INTRUDER, number }));
            }
        }
        if left.looks > 0 {
            actions.push(Action::Do { node, ask: Ask::Look });
        }
        if self.fresh >> node & 1 == 0 {
            actions.push(Action::Refresh(node));
        }
        if left.late > 0 && self.flight.is_none() {
            let replay = self.nodes[node].as_ref().and_then(Node::to_replay).map(|_| Ask::Replay);
            let late = asks.iter().copied().chain([Ask::Look]).chain(replay);
            actions.extend(late.map(|ask| Action::Send { node, ask }));
        }
        actions.extend(asks.into_iter().map(|ask| Action::Do { node, ask }));
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
        let ask = |left: &mut Budgets, ask| match ask {
            Ask::Look => left.looks.checked_sub(1).map(|rest| left.looks = rest),
            Ask::Replay => Some(()),
            Ask::Join { .. } => left.joins.checked_sub(1).map(|rest| left.joins = rest),
            Ask::Claim(Shown { user: INTRUDER, .. }) => {
                left.shows.checked_sub(1).map(|rest| left.shows = rest)
            }
            Ask::Claim(_) => left.claims.checked_sub(1).map(|rest| left.claims = rest),
            Ask::Leave(_) => left.leaves.checked_sub(1).map(|rest| left.leaves = rest),
            Ask::Settle => left.settles.checked_sub(1).map(|rest| left.settles = rest),
        };
        match action {
            Action::Do { ask: asked, .. } => ask(left, asked)?,
            Action::Send { ask: asked, .. } => {
                left.late = left.late.checked_sub(1)?;
                if asked != Ask::Look {
                    ask(left, asked)?;
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
