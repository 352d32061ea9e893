//! The model as the checker takes it, and what a run of the checker found.

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use super::action::Action;
use super::rule::Rule;
use super::scene::Scene;
use super::world::World;

/// A scene, begun in several ways.
#[derive(Clone, Debug)]
pub struct RecoveryModel {
    /// What may happen.
    pub scene: Scene,
    /// Runs that each begin a search: what happens before anything may go wrong.
    pub openings: Vec<Vec<Action>>,
    /// Actions after the opening, at most.
    pub depth: usize,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// States that differ.
    pub states: usize,
    /// States that were generated.
    pub generated: usize,
    /// The longest run, without its opening.
    pub depth: usize,
    /// The rule that was broken, and the shortest run found that breaks it, with its opening.
    pub broken: Option<(Rule, Vec<Action>)>,
}

impl Model for RecoveryModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        self.openings.iter().filter_map(|opening| opened(self.scene, opening)).collect()
    }

    fn actions(&self, state: &World, actions: &mut Vec<Action>) {
        if state.broken().is_none() && state.steps() < self.depth {
            actions.extend(state.actions());
        }
    }

    fn next_state(&self, state: &World, action: Action) -> Option<World> {
        let mut next = state.clone();
        next.apply(action)?;
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("each rule is kept", |_, state: &World| state.broken().is_none()),
            Property::always("the queue comes to rest", |_, state: &World| {
                !state.is_sampled() || state.comes_to_rest().is_none()
            }),
        ]
    }
}

/// A world after its opening, with the budgets of its scene.
#[must_use]
pub fn opened(scene: Scene, opening: &[Action]) -> Option<World> {
    let mut world = World::new(Scene { budgets: super::scene::UNBOUNDED, ..scene })?;
    for action in opening {
        world.apply(*action)?;
    }
    world.begin_with(scene.budgets);
    Some(world)
}

impl RecoveryModel {
    /// Searches all runs, breadth first, until a rule is broken.
    #[must_use]
    pub fn search(&self, threads: usize) -> Found {
        let checker = self
            .clone()
            .checker()
            .threads(threads)
            .finish_when(HasDiscoveries::Any)
            .spawn_bfs()
            .join();
        let broken = checker.discoveries().into_iter().find_map(|(_, path)| {
            let last = path.last_state();
            let rule = last.broken().or_else(|| last.comes_to_rest())?;
            let first = path.clone().into_vec().first().map(|(state, _)| state.clone())?;
            let nth = self.init_states().iter().position(|state| *state == first)?;
            let actions = self.openings[nth].iter().copied().chain(path.into_actions()).collect();
            Some((rule, actions))
        });
        Found {
            states: checker.unique_state_count(),
            generated: checker.state_count(),
            depth: checker.max_depth().saturating_sub(1),
            broken,
        }
    }
}
