//! Every route while a dependency is broken: each row of `docs/degraded-modes.md`, on real
//! dependencies.

mod cells;
mod world;

use self::cells::{Cells, row};
use self::world::{World, break_it};

/// Checks one row: breaks a dependency, compares every cell, repairs it, and checks that all is
/// well.
fn check(broken: &'static str, how: &str) {
    let world = World::start();
    check_well(&world, "before anything is broken");
    let mended = break_it(&world, broken, how);
    let seen = world.cells();
    assert_eq!(seen, row(broken, how), "while it is broken");
    mended(&world);
    check_well(&world, "after it is repaired");
}

/// Retries, because on a busy machine a response may be stale or a call may time out.
fn check_well(world: &World, when: &str) {
    let well = row("nothing", "");
    let mut cells = Vec::new();
    for _ in 0..6 {
        world.wait_until_well();
        cells.push(world.cells());
        if cells.last() == Some(&well) {
            return;
        }
    }
    panic!("{when}: {cells:?} and not {well:?}; {}", world.failures());
}

macro_rules! rows {
    ($($test:ident: $broken:literal $how:literal;)*) => {
        $(#[test]
        fn $test() {
            check($broken, $how);
        })*

        #[test]
        fn every_row_is_tested() {
            let tested = [("nothing", ""), $(($broken, $how)),*];
            assert_eq!(Cells::rows(), tested.map(|(broken, how)| (broken.to_owned(), how.to_owned())));
        }
    };
}

rows! {
    postgres_is_down: "Postgres" "down";
    postgres_is_slow: "Postgres" "slow";
    postgres_is_lying: "Postgres" "lying";
    postgres_is_left_alone: "Postgres" "left alone";
    the_queue_redis_is_down: "queue Redis" "down";
    the_queue_redis_is_slow: "queue Redis" "slow";
    the_queue_redis_is_lying: "queue Redis" "lying";
    the_queue_redis_is_left_alone: "queue Redis" "left alone";
    the_cache_redis_is_down: "cache Redis" "down";
    the_cache_redis_is_slow: "cache Redis" "slow";
    the_cache_redis_is_lying: "cache Redis" "lying";
    the_cache_redis_is_left_alone: "cache Redis" "left alone";
}
