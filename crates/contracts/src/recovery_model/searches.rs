//! The searches that tests run: one for each kind of fault, as deep as time allows.

use super::action::Action;
use super::fault::Fault;
use super::initial_state::{Budgets, NOTHING, Scene};
use super::model::RecoveryModel;
use super::opening_actions::{joined, one_inside, ready, reserved, reserved_and_joined, skipped};

/// All searches. `deeper` is the number of actions added to the depth that a test has time for.
#[must_use]
pub fn searches(deeper: usize) -> Vec<RecoveryModel> {
    let usual = || vec![joined(2), one_inside(3)];
    let lost =
        || usual().into_iter().map(|opening| [opening, vec![Action::Lose]].concat()).collect();
    let promoted = || {
        let copied = |opening: Vec<Action>| {
            let shortly = [Action::Copy, Action::Pass(1), Action::Promote];
            [opening, shortly.to_vec()].concat()
        };
        usual().into_iter().map(copied).collect()
    };
    let after_losses = Scene { name: "after a loss", ..Scene::of_losses() };
    let after_copies = Scene { name: "after a failover", ..Scene::of_copies() };
    let all = [
        (Scene::of_use(), usual(), 3),
        (Scene::of_losses(), usual(), 3),
        (after_losses, lost(), 3),
        (Scene::of_copies(), usual(), 3),
        (after_copies, promoted(), 3),
        (Scene::of_late_messages(), usual(), 3),
        (Scene::of_clocks(), usual(), 3),
        (Scene::of_checkpoints(), vec![reserved(), reserved_and_joined(2)], 4),
        (Scene::of_visitors(), vec![ready(), joined(2)], 3),
        (Scene::of_three_nodes(), usual(), 3),
    ];
    all.into_iter()
        .map(|(scene, openings, depth)| RecoveryModel { scene, openings, depth: depth + deeper })
        .collect()
}

/// A search that finds this fault, if random runs do not.
#[must_use]
pub fn hunt(fault: Fault) -> Option<RecoveryModel> {
    let one = Budgets { faults: 1, ..NOTHING };
    let lapsed = || [joined(1), vec![Action::Pass(3); 4]].concat();
    let (budgets, opening, depth) = match fault {
        Fault::RestartUnnoticed => (Budgets { promotions: 1, joins: 2, ..one }, joined(1), 4),
        Fault::JoinsBeforeReplay => {
            (Budgets { losses: 1, refreshes: 1, joins: 1, seconds: 2, ..one }, joined(2), 5)
        }
        Fault::LapsedForgotten => (Budgets { losses: 1, seconds: 3, ..one }, lapsed(), 5),
        Fault::GenerationIgnored => (Budgets { losses: 1, seconds: 2, ..one }, one_inside(2), 5),
        Fault::ShownIsWitness => (Budgets { shows: 1, ..one }, ready(), 2),
        Fault::TokenOfAnyLife => (Budgets { shows: 2, seconds: 1, ..one }, skipped(), 4),
        Fault::DoubtEndsEarly => (Budgets { losses: 1, joins: 3, ..one }, ready(), 4),
        Fault::NoReplay
        | Fault::HoldersForgotten
        | Fault::SessionsForgotten
        | Fault::ReleasedForgotten
        | Fault::AbandonedForgotten
        | Fault::WitnessNotSent
        | Fault::ClaimByAnybody
        | Fault::CheckpointPerNode
        | Fault::ServerClock => return None,
    };
    let needs_checkpoint = fault == Fault::TokenOfAnyLife;
    let scene = Scene { name: "hunt", budgets, needs_checkpoint, ..Scene::of_all(1, 1) };
    Some(RecoveryModel { scene: scene.with(fault), openings: vec![opening], depth })
}

/// The openings of random runs.
#[must_use]
pub fn beginnings(scene: &Scene) -> Vec<Vec<Action>> {
    if scene.needs_checkpoint {
        vec![reserved(), reserved_and_joined(2)]
    } else {
        vec![ready(), joined(2), one_inside(3)]
    }
}
