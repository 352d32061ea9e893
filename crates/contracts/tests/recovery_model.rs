//! scratch
use contracts::recovery_model::*;
fn show(scene: Scene, actions: &[Action]) {
    let mut w = opened(scene, &[]).unwrap();
    w.begin_with_all();
    for a in actions { let mut n = w.clone(); if let Some(x) = n.apply(*a) { w = n; println!("   {a:?} -> {x:?}"); } }
    if std::env::var("V").is_ok() { println!("{w:#?}"); }
}
#[test]
fn search() {
    let depth = std::env::var("D").ok().and_then(|d| d.parse().ok()).unwrap_or(3);
    let scene = Scene::usual(1, 2);
    let model = RecoveryModel { scene, openings: vec![openings::joined(2), openings::one_inside(3)] };
    let t = std::time::Instant::now();
    let found = model.search(depth, 10_000_000, 2);
    println!("{found:#?} {:?}", t.elapsed());
}
fn walks(scene: Scene, n: u64, opens: &[Vec<Action>]) -> std::collections::BTreeMap<String, (u64, Vec<Action>)> {
    let mut found = std::collections::BTreeMap::new();
    for seed in 0..n {
        let opening = &opens[seed as usize % opens.len()];
        let w = walk(scene, opening, seed, 40, |_| true).unwrap();
        if let Some(rule) = w.broken {
            let actions: Vec<Action> = w.steps.iter().map(|s| s.0).collect();
            let e = found.entry(format!("{rule:?}")).or_insert((0, vec![]));
            e.0 += 1;
            if e.0 == 1 { e.1 = shortest(scene, &actions, rule); }
        }
    }
    found
}
#[test]
fn chance() {
    let n = std::env::var("N").ok().and_then(|d| d.parse().ok()).unwrap_or(2000);
    let opens = [openings::ready(), openings::joined(2), openings::one_inside(3)];
    for (slots, faults) in [(1, 0), (1, 1), (2, 2), (1,3)] {
        let mut scene = Scene::usual(slots, faults);
        scene.budgets.seconds = 14;
        scene.budgets.joins = 6;
        let t = std::time::Instant::now();
        let found = walks(scene, n, &opens);
        println!("slots {slots} faults {faults} {:?}", t.elapsed());
        for (rule, (n, actions)) in found { println!("  {rule}: {n}"); show(scene, &actions); }
    }
}
#[test]
fn seeded() {
    let opens = [openings::ready(), openings::joined(2), openings::one_inside(3)];
    let ropens = [openings::reserved(), openings::reserved_and_joined(2)];
    for fault in Fault::ALL {
        let mut scene = Scene::usual(1, 2).with(fault);
        let mut o = &opens[..];
        if fault == Fault::CheckpointPerNode { scene.needs_checkpoint = true; scene.budgets.settles = 6; o = &ropens[..]; }
        scene.budgets.seconds = 14;
        let found = walks(scene, 600, o);
        println!("{fault:?} {:?}", found.iter().map(|(r,(n,a))| (r.clone(),*n,a.len())).collect::<Vec<_>>());
    }
}

const L: Action = Action::Lose;
fn claim(node: usize, user: u64, number: u64) -> Action { Action::Do { node, ask: Ask::Claim(Shown { user, number }) } }
fn leave(node: usize, user: u64, number: u64) -> Action { Action::Do { node, ask: Ask::Leave(Shown { user, number }) } }
#[test]
fn directed() {
    let scene = Scene::usual(1, 2);
    let p = |n: usize| vec![Action::Pass(3); n];
    let cat = |parts: &[Vec<Action>]| parts.concat();
    let cases = [
        ("served, lost twice", cat(&[openings::one_inside(3), p(1), vec![L], p(4), vec![L, Action::Refresh(0), Action::Refresh(1)], p(2)])),
        ("served, lost once", cat(&[openings::one_inside(3), p(4), vec![L, Action::Refresh(0), Action::Refresh(1)], p(2)])),
        ("left, lost twice", cat(&[openings::one_inside(3), p(1), vec![leave(1,1,1), L], p(4), vec![L, Action::Refresh(0), Action::Refresh(1)], p(2)])),
    ];
    for (name, actions) in cases { println!("{name} {:?}", breaks(scene, &actions)); show(scene, &actions); let _ = claim; }
}

fn ask(node: usize, ask: Ask) -> Action { Action::Do { node, ask } }
#[test]
fn hunts() {
    let _ = ask;
    let mut usual = Scene::usual(1, 1);
    usual.budgets.late = 0; usual.budgets.restarts = 0; usual.budgets.clock_steps = 0;
    for (fault, opening, depth) in [
        (Fault::RestartUnnoticed, openings::joined(1), 4),
        (Fault::JoinsBeforeReplay, openings::joined(2), 5),
        (Fault::LapsedForgotten, [openings::joined(1), vec![Action::Pass(3); 4]].concat(), 5),
        (Fault::GenerationIgnored, openings::one_inside(2), 5),
    ] {
        let mut scene = usual.with(fault);
        if fault == Fault::JoinsBeforeReplay { scene.budgets.promotions = 0; scene.budgets.leaves = 0; scene.budgets.claims = 0; }
        if fault == Fault::LapsedForgotten { scene.budgets.promotions = 0; scene.budgets.leaves = 0; scene.budgets.joins = 0; }
        let t = std::time::Instant::now();
        let found = RecoveryModel { scene, openings: vec![opening] }.search(depth, 1_000_000, 2);
        println!("{fault:?} {found:?} {:?}", t.elapsed());
    }
}
