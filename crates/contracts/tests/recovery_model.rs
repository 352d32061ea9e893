//! The model checker of the recovery: the rules hold in every run it looks at, and each seeded fault is found.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says how far it looked"
)]

use std::env;

use contracts::recovery_model::{
    Action, Example, Fault, Rule, Scene, beginnings, breaks, examples, hunt, quiet_traces, run, searches,
    shortest, traces, walk,
};

/// How many actions deeper than usual; each takes about ten times as long.
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

/// The first run by chance that breaks a rule, without what is not needed for it.
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
fn no_long_run_by_chance_breaks_a_rule() {
    let seeds = 600 * 4_u64.pow(u32::try_from(deeper()).unwrap());
    for (slots, faults) in [(1, 0), (1, 1), (2, 2), (1, 3)] {
        let found = by_chance(Scene::of_all(slots, faults), seeds);
        assert_eq!(found, None, "{slots} slots, {faults} faults");
    }
    let reserved = Scene::of_checkpoints();
    assert_eq!(by_chance(reserved, seeds), None, "with a checkpoint");
}

#[test]
fn each_fault_is_found() {
    for fault in Fault::ALL {
        let found = match hunt(fault) {
            Some(model) => model.search(2).broken,
            None if fault == Fault::CheckpointPerNode => by_chance(Scene::of_checkpoints().with(fault), 100),
            None => by_chance(Scene::of_all(1, 2).with(fault), 2_000),
        };
        let Some((rule, actions)) = found else { panic!("{fault:?} is not found") };
        println!("{fault:?} breaks {rule:?} after {} actions", actions.len());
    }
}

#[test]
fn each_example_breaks_its_rule_and_keeps_all_without_its_fault() {
    for Example { fault, scene, actions, breaks: rule } in examples() {
        assert!(run(scene, &actions).is_some(), "{fault:?}: an action that cannot be done");
        assert_eq!(breaks(scene.with(fault), &actions), Some(rule), "{fault:?}");
        assert_eq!(breaks(scene, &actions), None, "{fault:?}");
    }
}

#[test]
fn traces_are_the_same_each_time_and_cover_each_kind_of_trouble() {
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

#[test]
fn scratch() {
    use contracts::recovery_model::*;
    let p = |n: usize| vec![Action::Pass(3); n];
    let ask = |node, ask| Action::Do { node, ask };
    let claim = |node, user, number| ask(node, Ask::Claim(Shown { user, number }));
    let scene = Scene::of_all(1, 2);
    let short = Scene {
        policy: domain::queue::PolicySpec {
            session_ttl: std::time::Duration::from_millis(1_500),
            ..scene.policy
        },
        ..scene
    };
    let late_session = [
        openings::joined(2),
        p(2),
        vec![claim(0, 1, 1)],
        p(1),
        vec![Action::Lose],
        p(3),
        vec![Action::Lose],
        p(4),
    ]
    .concat();
    let cases = [
        (
            "twice",
            scene,
            [openings::one_inside(2), p(2), vec![Action::Lose], p(3), vec![Action::Lose], p(4)].concat(),
        ),
        (
            "twice3",
            scene,
            [openings::one_inside(2), p(2), vec![Action::Lose], p(2), vec![Action::Lose], p(4)].concat(),
        ),
        ("late claim", scene, late_session),
        ("short", short, [openings::one_inside(2), p(2), vec![Action::Lose], p(4)].concat()),
    ];
    for (name, scene, actions) in cases {
        println!("{name} {:?}", breaks(scene, &actions));
        for s in run(scene, &actions).unwrap().iter().skip(5) {
            println!("   {s:?}");
        }
    }
}
