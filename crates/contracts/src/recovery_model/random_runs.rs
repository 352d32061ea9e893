//! Random runs, longer than any search can be, and reproducible from their seed.

use super::action::{Action, Answer};
use super::initial_state::Scene;
use super::model::opened;
use super::rule::Rule;
use super::run_state::World;

/// A run and its result.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The actions with their answers, including the opening.
    pub steps: Vec<(Action, Answer)>,
    /// The rule that the last action broke, if any.
    pub broken: Option<Rule>,
}

/// A pseudorandom generator (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = self.next().checked_rem(of.len() as u64)?;
        of.get(usize::try_from(at).ok()?).copied()
    }
}

/// A random run of at most `length` actions after the opening. The seed selects them from the
/// actions that `may` allows.
#[must_use]
pub fn walk(
    scene: Scene,
    opening: &[Action],
    seed: u64,
    length: usize,
    may: impl Fn(&Action) -> bool,
) -> Option<Walk> {
    let mut world = World::new(Scene { budgets: super::initial_state::UNBOUNDED, ..scene })?;
    let mut steps = Vec::new();
    for action in opening {
        steps.push((*action, world.apply(*action)?));
    }
    world.begin_with(scene.budgets);
    let mut chance = Chance(seed);
    for _ in 0..length {
        let mut actions = world.actions();
        actions.retain(&may);
        let kinds = |action: &Action| std::mem::discriminant(action);
        // The kind of action is picked first, so that the many kinds of requests do not dominate.
        let mut each = Vec::new();
        for action in &actions {
            if !each.contains(&kinds(action)) {
                each.push(kinds(action));
            }
        }
        let Some(kind) = chance.pick(&each) else { break };
        actions.retain(|action| kinds(action) == kind);
        let Some(action) = chance.pick(&actions) else { break };
        let mut next = world.clone();
        let Some(answer) = next.apply(action) else { continue };
        world = next;
        steps.push((action, answer));
        if let Some(rule) = world.broken() {
            return Some(Walk { steps, broken: Some(rule) });
        }
    }
    let broken = world.comes_to_rest();
    Some(Walk { steps, broken })
}

/// Performs these actions and returns them with their answers; `None` if one is impossible.
#[must_use]
pub fn run(scene: Scene, actions: &[Action]) -> Option<Vec<(Action, Answer)>> {
    let mut world = World::new(Scene { budgets: super::initial_state::UNBOUNDED, ..scene })?;
    actions.iter().map(|action| Some((*action, world.apply(*action)?))).collect()
}

/// The rule that these actions break, if any, during the run or at rest.
#[must_use]
pub fn breaks(scene: Scene, actions: &[Action]) -> Option<Rule> {
    let mut world = opened(scene, &[])?;
    world.begin_with(super::initial_state::UNBOUNDED);
    for action in actions {
        let mut next = world.clone();
        if next.apply(*action).is_some() {
            world = next;
        }
        if world.broken().is_some() {
            return world.broken();
        }
    }
    world.comes_to_rest()
}

/// A minimal part of these actions that still breaks this rule: none can be removed.
#[must_use]
pub fn shortest(scene: Scene, actions: &[Action], rule: Rule) -> Vec<Action> {
    let mut kept = actions.to_vec();
    let mut at = kept.len();
    while at > 0 {
        at -= 1;
        let mut fewer = kept.clone();
        fewer.remove(at);
        if breaks(scene, &fewer) == Some(rule) {
            kept = fewer;
            at = at.min(kept.len());
        }
    }
    kept
}
