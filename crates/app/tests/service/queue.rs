//! The queue over HTTP.

use adapter_memory::SystemClock;
use domain::{Clock as _, Timestamp};

use crate::support::{Answer, TestApp, assert_ends_as_before, eventually};

/// Calls one user, then none for an hour.
const STANDING_STILL: [&str; 2] = ["queue.policy.batch=1", "queue.policy.every=1h"];

const KEY_A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const KEY_B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[test]
fn the_first_user_of_an_empty_queue_is_called_at_once_and_can_claim() {
    let app = TestApp::start(&[]);
    let joined = app.join_line(36);
    assert_eq!((joined.number("number"), joined.number("position")), (1, 0));
    assert_eq!(joined.word("status"), "CALLED");
    assert_eq!(joined.number("etaSeconds"), 0);
    let token = joined.word("waitingToken");
    let called = app.query(&token);
    assert_eq!((called.number("num"), called.word("status")), (0, "CALLED".to_owned()));

    let dates = app.dates("451", &token);
    assert_eq!(dates.status, 200, "{dates:?}");
    let dates = dates.json();
    assert_eq!(dates.as_array().unwrap().len(), 3);
    for field in ["scheduleId", "concertTitle", "openDate", "startDate", "endDate", "seatsLeft"] {
        assert!(!dates[0][field].is_null(), "{field}");
    }
    let active = app.query(&token);
    assert_eq!(active.word("status"), "ACTIVE");
    // Ten minutes each, from joining and from claiming.
    let seconds_left = |answer: &Answer| {
        let until: Timestamp = answer.word("expiresAt").parse().unwrap();
        until.duration_since(SystemClock.now()).as_secs_f64()
    };
    assert!(
        (590.0..=600.0).contains(&seconds_left(&called))
            && (590.0..=600.0).contains(&seconds_left(&active))
    );
    assert_eq!(active.header("cache-control"), "no-store");
}

#[test]
fn an_error_does_not_use_up_the_call() {
    let app = TestApp::start(&[]);
    let token = app.token_of(7);
    let before = app.query(&token);
    for (concert, status) in [("10001", 404), ("10001", 404), ("nonsense", 400)] {
        assert_eq!(app.dates(concert, &token).status, status, "{concert}");
    }
    let after = app.query(&token);
    assert_eq!(after.word("status"), "CALLED");
    assert_ends_as_before(&after, &before);
    assert_eq!(app.dates("451", &token).status, 200);
    assert_eq!(app.query(&token).word("status"), "ACTIVE");
}

#[test]
fn users_beyond_the_budget_wait_with_position_and_estimate() {
    let app = TestApp::start(&STANDING_STILL);
    app.join_line(1);
    app.join_line(2);
    let third = app.join_line(3);
    assert_eq!(third.word("status"), "WAITING");
    assert_eq!((third.number("number"), third.number("position")), (3, 2));
    assert_eq!(third.number("etaSeconds"), 7_200);
    assert_eq!(third.word("etaLimitedBy"), "RATE");
    // Farthest from the front: 30 s, with jitter of up to a fifth in either direction.
    assert!((24_000..=36_000).contains(&third.number("pollAfterMs")));
    let status = app.query(&third.word("waitingToken"));
    assert_eq!((status.number("num"), status.number("position")), (2, 2));
    assert!(status.field("expiresAt").is_null());
}

#[test]
fn a_waiting_user_is_refused_at_the_dates() {
    let app = TestApp::start(&STANDING_STILL);
    app.join_line(1);
    let waiting = app.token_of(2);
    let refused = app.dates("451", &waiting);
    assert_eq!((refused.status, refused.word("code")), (403, "NOT_YOUR_TURN".to_owned()));
    assert_eq!((refused.number("position"), refused.number("number")), (1, 2));
    let retry_after: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(retry_after, refused.number("pollAfterMs").div_ceil(1_000));
    assert_eq!(
        app.query(&waiting).word("status"),
        "WAITING",
        "a refusal does not change the place"
    );
}

#[test]
fn joining_again_returns_the_same_place_and_both_tokens_are_valid() {
    let app = TestApp::start(&STANDING_STILL);
    app.join_line(1);
    let (first, again) = (app.join_line(2), app.join_line(2));
    assert_eq!(first.number("number"), again.number("number"));
    for token in [first.word("waitingToken"), again.word("waitingToken")] {
        assert_eq!(app.query(&token).number("position"), 1);
    }
}

#[test]
fn leaving_releases_the_place_once() {
    let app = TestApp::start(&[]);
    let token = app.token_of(1);
    assert_eq!(app.dates("451", &token).status, 200);
    let left = app.leave(&token);
    assert_eq!((left.status, left.text.as_str()), (204, ""));
    let status = app.query(&token);
    assert_eq!(status.word("status"), "EXPIRED");
    assert!(status.field("pollAfterMs").is_null(), "an ended place needs no further polls");
    for refused in [app.dates("451", &token), app.leave(&token)] {
        assert_eq!((refused.status, refused.word("code")), (410, "PLACE_GONE".to_owned()));
    }
    assert_eq!(app.join_line(1).number("number"), 2, "a new place is at the end");
}

#[test]
fn a_place_released_while_waiting_is_refused_at_the_dates_too() {
    let app = TestApp::start(&STANDING_STILL);
    app.join_line(1);
    let token = app.token_of(2);
    assert_eq!(app.leave(&token).status, 204);
    eventually("the node has seen it", || app.dates("451", &token).status == 410);
    assert_eq!(app.leave(&token).status, 410);
}

#[test]
fn positions_move_up_within_a_refresh_when_a_user_ahead_leaves() {
    let app = TestApp::start(&STANDING_STILL);
    app.join_line(1);
    let tokens: Vec<_> = (2..=5).map(|user| app.token_of(user)).collect();
    assert_eq!(app.query(&tokens[3]).number("position"), 4);
    assert_eq!(app.leave(&tokens[1]).status, 204);
    eventually("the last one moves up", || app.query(&tokens[3]).number("position") == 3);
    assert_eq!(app.query(&tokens[0]).number("position"), 1, "users ahead keep their position");
    assert_eq!(app.query(&tokens[1]).word("status"), "EXPIRED");
}

#[test]
fn users_are_called_over_time_without_new_joins() {
    let app =
        TestApp::start(&["queue.policy.batch=2", "queue.policy.every=100ms", "queue.refresh=20ms"]);
    let tokens: Vec<_> = (1..=12).map(|user| app.token_of(user)).collect();
    eventually("every user is called", || {
        tokens.iter().all(|token| app.query(token).word("status") == "CALLED")
    });
}

#[test]
fn sessions_end_and_make_room() {
    let short = [
        "queue.policy.max_active=1",
        "queue.policy.session_ttl=300ms",
        "queue.policy.claim_within=10s",
        "queue.poll.farthest=1s",
    ];
    let app = TestApp::start(&short);
    let (first, second) = (app.token_of(1), app.token_of(2));
    assert_eq!(app.dates("451", &first).status, 200);
    eventually("the second is called", || app.query(&second).word("status") == "CALLED");
    assert_eq!(app.query(&first).word("status"), "EXPIRED");
}

#[test]
fn a_full_queue_refuses_joins_with_retry_after_but_holders_find_their_place() {
    let app = TestApp::start(&[&STANDING_STILL[..], &["queue.policy.max_waiting=2"]].concat());
    let held: Vec<_> = (1..=3).map(|user| app.join_line(user).number("number")).collect();
    let refused = app.request("POST", "/user/4/queue/token/issue", &[]);
    assert_eq!((refused.status, refused.word("code")), (503, "LINE_FULL".to_owned()));
    assert!(refused.word("message").contains("잠시 후 다시 시도해 주세요."));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!((1..=3).map(|user| app.join_line(user).number("number")).collect::<Vec<_>>(), held);
}

#[test]
fn a_key_rotation_and_a_restart_lose_no_place() {
    let with_keys = |keys: &str| {
        TestApp::start(&[&STANDING_STILL[..], &[&format!("queue.keys={keys}")]].concat())
    };
    let before = with_keys(KEY_A);
    before.join_line(1);
    let tokens: Vec<_> = (2..=40).map(|user| before.token_of(user)).collect();
    let token = &tokens[38];
    drop(before);

    let rotated = with_keys(&format!("{KEY_B},{KEY_A}"));
    let status = rotated.query(token);
    assert_eq!((status.word("status"), status.number("number")), ("WAITING".to_owned(), 40));
    let joined = rotated.join_line(99);
    let place = (joined.number("number"), joined.number("position"));
    assert_eq!(
        place,
        (10_041, 2),
        "new numbers follow the presented ones, and new users the presenters"
    );
    drop(rotated);

    let retired = with_keys(KEY_B);
    let refused = retired.query(token);
    assert_eq!((refused.status, refused.word("code")), (401, "TOKEN_INVALID".to_owned()));
}

#[test]
fn a_token_of_another_queue_is_refused() {
    let keys = format!("queue.keys={KEY_A}");
    let token = TestApp::start(&[&keys, "queue.id=other"]).token_of(1);
    let app = TestApp::start(&[&keys]);
    for refused in [app.query(&token), app.dates("451", &token), app.leave(&token)] {
        assert_eq!((refused.status, refused.word("code")), (401, "TOKEN_INVALID".to_owned()));
    }
}
