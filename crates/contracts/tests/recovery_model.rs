//! scratch
use contracts::recovery_model::*;
#[test]
fn search() {
    let depth = std::env::var("D").ok().and_then(|d| d.parse().ok()).unwrap_or(4);
    let scene = Scene::usual(1, 2);
    let model = RecoveryModel { scene, openings: vec![openings::joined(2), openings::one_inside(3)] };
    let t = std::time::Instant::now();
    let found = model.search(depth, 10_000_000, 2);
    println!("{found:#?} {:?}", t.elapsed());
    if let Some((_, actions)) = &found.broken {
        let mut w = World::new(Scene { budgets: opened(scene, &[]).map(|_| scene.budgets).unwrap(), ..scene }).unwrap();
        let _ = &mut w;
        println!("{actions:?}");
    }
}
