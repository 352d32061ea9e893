//! A short run for each fault that breaks a rule with the fault and keeps the rules without it.

use super::action::{Action, INTRUDER, Shown, StoreCall};
use super::fault::Fault;
use super::initial_state::Scene;
use super::opening_actions::{joined, one_inside, ready, reserved, skipped};
use super::rule::Rule;

/// A run that exposes a fault.
#[derive(Clone, Debug)]
pub struct Example {
    /// The fault.
    pub fault: Fault,
    /// The scene, without the fault.
    pub scene: Scene,
    /// The actions of the run.
    pub actions: Vec<Action>,
    /// The rule that the fault breaks.
    pub breaks: Rule,
}

fn join(node: usize, user: u64) -> Action {
    Action::Do { node, call: StoreCall::Join { user, shown: None } }
}

fn claim(node: usize, user: u64, number: u64) -> Action {
    Action::Do { node, call: StoreCall::Claim(Shown { user, number }) }
}

fn leave(node: usize, user: u64, number: u64) -> Action {
    Action::Do { node, call: StoreCall::Leave(Shown { user, number }) }
}

const BOTH: Action = Action::Pass(3);
const FIRST: Action = Action::Refresh(0);
const SECOND: Action = Action::Refresh(1);

/// One for each fault.
#[must_use]
pub fn examples() -> Vec<Example> {
    Fault::ALL.into_iter().map(example).collect()
}

fn example(fault: Fault) -> Example {
    let lost = [Action::Lose, FIRST, SECOND, BOTH, BOTH];
    let (opening, actions, breaks) = match fault {
        Fault::NoReplay | Fault::SessionsForgotten => {
            (one_inside(2), lost.to_vec(), Rule::SessionCut)
        }
        Fault::GenerationIgnored => {
            (one_inside(2), [&[FIRST], &lost[..]].concat(), Rule::SessionCut)
        }
        Fault::HoldersForgotten => {
            (joined(3), [&lost[..], &[join(1, 2)]].concat(), Rule::UserTwice)
        }
        Fault::ReleasedForgotten => {
            (joined(2), [&[leave(1, 1, 1)], &lost[..]].concat(), Rule::Undead)
        }
        Fault::AbandonedForgotten => {
            (joined(2), [&[leave(0, 2, 2)], &lost[..]].concat(), Rule::Undead)
        }
        Fault::WitnessNotSent => (joined(2), lost.to_vec(), Rule::QueueBack),
        Fault::LapsedForgotten => {
            (joined(1), [&[BOTH, BOTH, BOTH, BOTH], &lost[..]].concat(), Rule::StandsAgain)
        }
        Fault::ClaimByAnybody => {
            let silent = [Action::Lose, Action::Pass(2), Action::Pass(2), Action::Pass(2)];
            let claims = [join(1, 3), claim(1, 3, 1), claim(1, 1, 1)];
            (joined(1), [&silent[..], &claims[..]].concat(), Rule::TwoInside)
        }
        Fault::CheckpointPerNode => {
            let settle = |node| Action::Do { node, call: StoreCall::Settle };
            let settled = [settle(0), settle(1), BOTH, BOTH];
            (reserved(), [&lost[..3], &settled[..]].concat(), Rule::BeyondReserve)
        }
        Fault::ServerClock => (joined(1), vec![Action::Clock(60), FIRST], Rule::TimeOff),
        Fault::DoubtEndsEarly => {
            let fresh = [join(0, 2), Action::Lose, SECOND, join(1, 3)];
            (ready(), [&[join(0, 1)], &fresh[..]].concat(), Rule::NumberTwice)
        }
        Fault::JoinsBeforeReplay => {
            let silent = [
                Action::Do { node: 1, call: StoreCall::Snapshot },
                Action::Pass(1),
                Action::Pass(1),
            ];
            (joined(2), [&[Action::Lose], &silent[..], &[join(1, 2)]].concat(), Rule::UserTwice)
        }
        Fault::ShownIsWitness => {
            (ready(), vec![Action::Show { node: 0, number: 50 }], Rule::DoubtByVisitor)
        }
        Fault::TokenOfAnyLife => {
            let enters = claim(0, INTRUDER, 2);
            (skipped(), vec![enters, BOTH, enters], Rule::OldLifeEnters)
        }
        Fault::RestartUnnoticed => {
            let copied = [Action::Copy, join(0, 2), Action::Promote, join(1, 3)];
            (joined(1), copied.to_vec(), Rule::NumberTwice)
        }
    };
    let needs_checkpoint = matches!(fault, Fault::CheckpointPerNode | Fault::TokenOfAnyLife);
    let scene = Scene { needs_checkpoint, ..Scene::of_all(1, 2) };
    Example { fault, scene, actions: [opening, actions].concat(), breaks }
}
