//! Runs the model checker of the recovery: the rules hold in all searched runs, and each seeded
//! fault is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::time::Duration;

use contracts::recovery_model::{
    Action, Example, Fault, Rule, Scene, Shown, StoreCall, beginnings, breaks, examples, hunt,
    opening_actions, quiet_traces, run, searches, shortest, traces, walk,
};
use domain::queue::PolicySpec;

/// The number of actions added to the usual depth; each multiplies the time by about ten.
fn deeper() -> usize {
    env::var("BOXOFFICE_MODEL_DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(0)
}

#[test]
fn no_run_of_a_few_actions_breaks_a_rule() {
    let mut states = 0;
    for model in searches(deeper()) {
        let found = model.search(2);
        println!("{}: {} states, {} actions deep", model.scene.name, found.states, found.depth);
        assert_eq!(found.broken, None, "{}", model.scene.name);
        assert!(found.depth >= 3, "{}: {found:?}", model.scene.name);
        states += found.states;
    }
    println!("{states} states");
    assert!(states >= 200_000, "{states} states");
}

/// The first random run that breaks a rule, minimised.
fn by_chance(scene: Scene, seeds: u64) -> Option<(Rule, Vec<Action>)> {
    let beginnings = beginnings(&scene);
    (0..seeds).find_map(|seed| {
        let beginning = &beginnings[usize::try_from(seed).unwrap() % beginnings.len()];
        let walked = walk(scene, beginning, seed, 40, |_| true).unwrap();
        let rule = walked.broken?;
        let actions: Vec<Action> = walked.steps.iter().map(|(action, _)| *action).collect();
        Some((rule, shortest(scene, &actions, rule)))
    })
}

#[test]
fn no_long_random_run_breaks_a_rule() {
    let seeds = 600 * 4_u64.pow(u32::try_from(deeper()).unwrap());
    for (slots, faults) in [(1, 0), (1, 1), (2, 2), (1, 3)] {
        let found = by_chance(Scene::of_all(slots, faults), seeds);
        assert_eq!(found, None, "{slots} slots, {faults} faults");
    }
    assert_eq!(by_chance(Scene::of_checkpoints(), seeds), None, "with a checkpoint");
    for milliseconds in [1_500, 2_500] {
        let usual = Scene::of_all(1, 2);
        let session_ttl = Duration::from_millis(milliseconds);
        let short = Scene { policy: PolicySpec { session_ttl, ..usual.policy }, ..usual };
        assert_eq!(by_chance(short, seeds), None, "sessions of {milliseconds} ms");
    }
    assert_eq!(by_chance(Scene { nodes: 3, ..Scene::of_all(2, 3) }, seeds), None, "three nodes");
}

#[test]
fn each_fault_is_found() {
    for fault in Fault::ALL {
        let found = match hunt(fault) {
            Some(model) => model.search(2).broken,
            None if fault == Fault::CheckpointPerNode => {
                by_chance(Scene::of_checkpoints().with(fault), 100)
            }
            None => by_chance(Scene::of_all(1, 2).with(fault), 2_000),
        };
        let Some((rule, actions)) = found else { panic!("{fault:?} was not found") };
        println!("{fault:?} breaks {rule:?} after {} actions", actions.len());
    }
}

#[test]
fn each_example_breaks_its_rule_and_keeps_all_without_its_fault() {
    for Example { fault, scene, actions, breaks: rule } in examples() {
        assert!(run(scene, &actions).is_some(), "{fault:?}: an impossible action");
        assert_eq!(breaks(scene.with(fault), &actions), Some(rule), "{fault:?}");
        assert_eq!(breaks(scene, &actions), None, "{fault:?}");
    }
}

#[test]
fn traces_are_reproducible_and_cover_each_kind_of_fault() {
    let all = traces(200);
    assert!(all.len() >= 210, "{}", all.len());
    for (one, other) in all.iter().zip(traces(200)) {
        assert_eq!((&one.name, &one.steps), (&other.name, &other.steps));
    }
    let has = |kind: fn(&Action) -> bool| {
        all.iter().filter(|trace| trace.steps.iter().any(|(action, _)| kind(action))).count()
    };
    let kinds: [fn(&Action) -> bool; 6] = [
        |action| *action == Action::Lose,
        |action| *action == Action::Restart,
        |action| *action == Action::Promote,
        |action| matches!(action, Action::Clock(_)),
        |action| matches!(action, Action::Stop(_)),
        |action| matches!(action, Action::Start(_)),
    ];
    for (nth, kind) in kinds.into_iter().enumerate() {
        assert!(has(kind) >= 10, "kind {nth}: {}", has(kind));
    }
    assert_eq!(quiet_traces(100).len(), 100);
}

/// Both nodes refresh every second, `count` times.
fn seconds(count: usize) -> Vec<Action> {
    vec![Action::Pass(3); count]
}

#[test]
fn runs_that_once_broke_a_rule_keep_all_rules() {
    let usual = Scene::of_all(1, 2);
    let with_sessions = |milliseconds| {
        let session_ttl = Duration::from_millis(milliseconds);
        Scene { policy: PolicySpec { session_ttl, ..usual.policy }, ..usual }
    };
    let (lost, clock) = (vec![Action::Lose], vec![Action::Clock(-60)]);
    let join = |node, user| vec![Action::Do { node, call: StoreCall::Join { user, shown: None } }];
    let claim =
        || vec![Action::Do { node: 0, call: StoreCall::Claim(Shown { user: 1, number: 1 }) }];
    let inside = || opening_actions::one_inside(2);
    let late = vec![Action::Pass(2); 2];
    let brief = Scene { recovery: Duration::from_millis(900), ..usual };
    let cases = [
        // The call of a user whose session had ended was open again and held a slot.
        (
            usual,
            [inside(), seconds(2), lost.clone(), seconds(3), lost.clone(), seconds(4)].concat(),
        ),
        (with_sessions(1_500), [inside(), seconds(2), lost.clone(), seconds(4)].concat()),
        // After the loss a session had more time left than a session lasts.
        (brief, [opening_actions::joined(1), late, claim(), lost.clone(), seconds(3)].concat()),
        // Two stores had the same generation, so a node believed it had replayed to the second what
        // it had replayed to the first.
        (
            usual,
            [
                opening_actions::ready(),
                join(1, 1),
                seconds(1),
                lost.clone(),
                clock,
                vec![Action::Refresh(1)],
                lost,
                vec![Action::Refresh(0)],
                seconds(2),
                join(1, 1),
            ]
            .concat(),
        ),
    ];
    for (nth, (scene, actions)) in cases.into_iter().enumerate() {
        assert!(run(scene, &actions).is_some(), "run {nth}");
        assert_eq!(breaks(scene, &actions), None, "run {nth}");
    }
}
