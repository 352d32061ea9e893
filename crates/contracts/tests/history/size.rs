//! Long histories.

use std::time::{Duration, Instant};

use contracts::history::{Completion, History, Invocation, Rules, check};
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
    let note = |requested, reported| history.begin(requested).end(reported);
    let given = |n| Completion::Number { number: QueueNumber::new(n).unwrap(), rejoined: false };
    let admitted = Completion::LetIn { until_after: Duration::from_secs(3_600) };
    for n in 1..=PEOPLE {
        let (user, number) = (UserId::new(n).unwrap(), QueueNumber::new(2 * n - 1).unwrap());
        note(Invocation::Join { user }, given(2 * n - 1));
        note(Invocation::Admit { user, number }, admitted);
        note(Invocation::Leave { user, number }, Completion::Left);
        note(Invocation::FindAgain { user }, given(2 * n));
    }
    let (user, number) =
        (UserId::new(PEOPLE + 1).unwrap(), QueueNumber::new(2 * PEOPLE + 1).unwrap());
    note(Invocation::Join { user }, given(2 * PEOPLE + 1));
    for position in (0..4 * PEOPLE).rev() {
        note(Invocation::Ask { user, number }, Completion::Waiting { position });
    }
    note(Invocation::Admit { user, number }, admitted);
    let start = Instant::now();
    if let Err(findings) = check(&history, &rules) {
        panic!("{findings}");
    }
    let taken = start.elapsed();
    assert!(taken < LIMIT, "{taken:?}");
}
