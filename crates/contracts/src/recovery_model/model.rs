//! The model in the form that the checker needs, and the result of a search.

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use super::action::Action;
use super::initial_state::Scene;
use super::rule::Rule;
use super::run_state::World;

/// A scene with several openings.
#[derive(Clone, Debug)]
pub struct RecoveryModel {
    /// The possible events.
    pub scene: Scene,
    /// The opening of each search: actions that happen before anything can fail.
    pub openings: Vec<Vec<Action>>,
    /// The maximum number of actions after the opening.
    pub depth: usize,
}

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// The number of distinct states.
    pub states: usize,
    /// The number of generated states.
    pub generated: usize,
    /// The length of the longest run, without its opening.
    pub depth: usize,
    /// The broken rule, if any, and the shortest run found that breaks it, with its opening.
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
    let mut world = World::new(Scene { budgets: super::initial_state::UNBOUNDED, ..scene })?;
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
