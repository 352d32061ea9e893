//! Long histories.

use std::time::{Duration, Instant};

use contracts::history::{Asked, History, Rules, Told, check};
use domain::queue::{QueueNumber, UserId};

/// The check takes two seconds, unoptimised; comparing each op with every other would take hours.
const LIMIT: Duration = Duration::from_secs(60);

/// Half of the ops come from many users who pass through, half from one user who polls repeatedly.
#[test]
fn a_long_history_is_checked_within_seconds() {
    const PEOPLE: u64 = 25_000;
    let rules =
        Rules { max_active: Some(1), is_drained: true, places_survive: true, ..Rules::default() };
    let history = History::new();
    let note = |asked, told| history.begin(asked).end(told);
    let given = |n| Told::Number { number: QueueNumber::new(n).unwrap(), rejoined: false };
    let let_in = Told::LetIn { until_after: Duration::from_secs(3_600) };
    for n in 1..=PEOPLE {
        let (user, number) = (UserId::new(n).unwrap(), QueueNumber::new(2 * n - 1).unwrap());
        note(Asked::Join { user }, given(2 * n - 1));
        note(Asked::Admit { user, number }, let_in);
        note(Asked::Leave { user, number }, Told::Left);
        note(Asked::FindAgain { user }, given(2 * n));
    }
    let (user, number) =
        (UserId::new(PEOPLE + 1).unwrap(), QueueNumber::new(2 * PEOPLE + 1).unwrap());
    note(Asked::Join { user }, given(2 * PEOPLE + 1));
    for position in (0..4 * PEOPLE).rev() {
        note(Asked::Ask { user, number }, Told::Waiting { position });
    }
    note(Asked::Admit { user, number }, let_in);
    let start = Instant::now();
    if let Err(findings) = check(&history, &rules) {
        panic!("{findings}");
    }
    let taken = start.elapsed();
    assert!(taken < LIMIT, "{taken:?}");
}
