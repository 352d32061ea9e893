//! The puzzle that joining requires: its configuration, and how clients solve it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use adapter_memory::SystemClock;
use adapter_token::{KeyRing, PuzzleRing, TokenKey, solve_puzzle};
use domain::queue::{Difficulty, JoinPuzzle, PuzzleIssuer as _, QueueId, UserId};
use domain::{Clock as _, Timestamp};

use crate::errors::check_shape;
use crate::program::{Serving, boxoffice, text};
use crate::support::{Answer, TestApp, eventually};

/// Solved instantly even by a debug build.
const EASY: [&str; 2] = ["queue.puzzle.min_bits=2", "queue.puzzle.max_bits=5"];

const REQUIRED: (u16, &str) = (428, "PUZZLE_REQUIRED");

/// A token key that tests share with nodes.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Every error code of a puzzle, as seen by [`every_refusal_has_the_shape_of_all_errors`].
pub(crate) const CODES: [&str; 9] = [
    "PUZZLE_REQUIRED",
    "PUZZLE_MALFORMED",
    "PUZZLE_NOT_OURS",
    "PUZZLE_OTHER_QUEUE",
    "PUZZLE_OTHER_USER",
    "PUZZLE_EXPIRED",
    "PUZZLE_TOO_EASY",
    "PUZZLE_WRONG_PARTS",
    "PUZZLE_UNSOLVED",
];

fn puzzle_of(answer: &Answer) -> JoinPuzzle {
    let bits = u8::try_from(answer.number("bits")).unwrap();
    JoinPuzzle {
        text: answer.word("puzzle"),
        difficulty: Difficulty::new(bits).unwrap(),
        iterations: u32::try_from(answer.number("iterations")).unwrap(),
        parts: u8::try_from(answer.number("parts")).unwrap(),
    }
}

fn join(app: &TestApp, user: u64, headers: &[(&str, &str)]) -> Answer {
    app.request("POST", &format!("/user/{user}/queue/token/issue"), headers)
}

/// The value of this metric's series with this label, or of its only series.
fn measured(app: &TestApp, metric: &str, label: &str) -> f64 {
    let metrics = app.ops("/metrics").text;
    let is_it = |line: &&str| line.starts_with(&format!("{metric}{{")) && line.contains(label);
    let line = metrics.lines().find(is_it).unwrap_or_else(|| panic!("no {metric} with {label:?}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples/solve-puzzle.py")
}

fn run_script(service: &Serving, user: &str) -> Output {
    Command::new("python3").arg(script()).args([service.url("").as_str(), user]).output().unwrap()
}

#[test]
fn the_script_joins_with_and_without_a_puzzle() {
    for (mode, bits) in [("off", 2), ("auto", 2), ("on", 2), ("on", 8)] {
        let mode = format!("queue.join_puzzle={mode}");
        let lowest = format!("queue.puzzle.min_bits={bits}");
        let service = Serving::start(&["--set", &mode, "--set", &lowest]);
        for user in ["7", "8", "7"] {
            let output = run_script(&service, user);
            assert!(output.status.success(), "{mode} {bits}: {}", text(&output.stderr));
            assert!(text(&output.stdout).trim().len() >= 64, "{}", text(&output.stdout));
        }
        let refused = run_script(&service, "0");
        assert!(text(&refused.stderr).starts_with("400"), "{}", text(&refused.stderr));
    }
}

#[test]
fn by_default_joining_needs_no_puzzle() {
    let app = TestApp::start(&[]);
    for user in 1..=200 {
        assert_eq!(join(&app, user, &[]).status, 200);
    }
    assert!(measured(&app, "boxoffice_join_puzzle_bits", "").abs() < f64::EPSILON);
}

#[test]
fn a_required_puzzle_has_the_shape_of_all_errors_and_is_counted() {
    let app = TestApp::start(&["queue.join_puzzle=on", EASY[0], EASY[1]]);
    let requested = join(&app, 7, &[]);
    check_shape(&requested, REQUIRED, "ko", "no solution");
    let wrong = join(&app, 7, &[("joinPuzzle", "x")]);
    check_shape(&wrong, (428, "PUZZLE_MALFORMED"), "ko", "no puzzle");
    let joined = join(&app, 7, &[("joinPuzzle", &solve_puzzle(&puzzle_of(&requested)))]);
    assert_eq!(joined.status, 200, "{joined:?}");
    let again = join(&app, 7, &[("waitingToken", &joined.word("waitingToken"))]);
    assert_eq!((again.status, again.number("number")), (200, joined.number("number")));
    for (metric, label, expected) in [
        ("bits", "", 2.0),
        ("passed_total", "by=\"solved\"", 1.0),
        ("passed_total", "by=\"rejoined\"", 1.0),
        ("refused_total", "reason=\"unanswered\"", 1.0),
        ("refused_total", "reason=\"malformed\"", 1.0),
        ("refused_total", "reason=\"expired\"", 0.0),
    ] {
        let counted = measured(&app, &format!("boxoffice_join_puzzle_{metric}"), label);
        assert!((counted - expected).abs() < f64::EPSILON, "{metric} {label}: {counted}");
    }
}

/// A puzzle issued `ago` seconds ago by a node with [`KEY`].
fn issued(queue: &str, user: u64, bits: u8, ago: i64) -> JoinPuzzle {
    let keys = KeyRing::new(vec![TokenKey::parse(KEY).unwrap()]).unwrap();
    let then = Timestamp::from_second(SystemClock.now().as_second() - ago).unwrap();
    let difficulty = Difficulty::new(bits).unwrap();
    let ring = PuzzleRing::new(&keys, QueueId::parse(queue).unwrap());
    ring.issue(UserId::new(user).unwrap(), difficulty, then)
}

#[test]
fn every_refusal_has_the_shape_of_all_errors() {
    let key = format!("queue.keys={KEY}");
    let app = TestApp::start(&["queue.join_puzzle=on", "queue.puzzle.min_bits=2", &key]);
    let good = solve_puzzle(&issued("main", 7, 2, 0));
    let (puzzle, _) = good.split_once('.').unwrap();
    let shown = [
        String::new(),
        "x".to_owned(),
        format!("{}{}{}", &good[..40], if &good[40..41] == "A" { "B" } else { "A" }, &good[41..]),
        solve_puzzle(&issued("other", 7, 2, 0)),
        solve_puzzle(&issued("main", 8, 2, 0)),
        solve_puzzle(&issued("main", 7, 2, 70)),
        solve_puzzle(&issued("main", 7, 1, 0)),
        format!("{puzzle}.7,7"),
        // A given counter solves one in a million puzzles of 20 bits.
        format!("{}.0,1", issued("main", 7, 20, 0).text),
    ];
    for (shown, code) in shown.iter().zip(CODES) {
        for language in ["ko", "en"] {
            let answer = join(&app, 7, &[("joinPuzzle", shown), ("accept-language", language)]);
            check_shape(&answer, (428, code), language, code);
            assert_eq!(puzzle_of(&answer).difficulty.bits(), 2, "{code}");
        }
    }
    assert_eq!(join(&app, 7, &[("joinPuzzle", &good)]).status, 200);
}

#[test]
fn nodes_with_the_same_keys_check_each_others_puzzles() {
    let key = format!("queue.keys={KEY}");
    let node = || TestApp::start(&["queue.join_puzzle=on", EASY[0], EASY[1], &key]);
    let (one, other) = (node(), node());
    let solution = solve_puzzle(&puzzle_of(&join(&one, 7, &[])));
    assert_eq!(join(&other, 7, &[("joinPuzzle", &solution)]).status, 200);
    let stranger = TestApp::start(&["queue.join_puzzle=on", EASY[0], EASY[1]]);
    let refused = join(&stranger, 7, &[("joinPuzzle", &solution)]);
    check_shape(&refused, (428, "PUZZLE_NOT_OURS"), "ko", "another key");
}

#[test]
fn with_auto_a_burst_of_joins_brings_puzzles_on() {
    let app =
        TestApp::start(&["queue.join_puzzle=auto", "queue.puzzle.from_rate=50", EASY[0], EASY[1]]);
    assert_eq!(join(&app, 1, &[]).status, 200);
    let mut user = 1;
    let mut next = || {
        user += 1;
        join(&app, user, &[])
    };
    // Even a slow machine joins more than 50 times a second.
    let mut requested = None;
    eventually("a puzzle is required", || {
        let answer = next();
        let is_asked = answer.status == 428;
        requested = is_asked.then_some(answer);
        is_asked
    });
    check_shape(requested.as_ref().unwrap(), REQUIRED, "ko", "a burst");
    assert!(measured(&app, "boxoffice_join_puzzle_bits", "") >= 2.0);
    let requested = join(&app, 1_000_000, &[]);
    let joined = join(&app, 1_000_000, &[("joinPuzzle", &solve_puzzle(&puzzle_of(&requested)))]);
    assert_eq!(joined.status, 200, "{joined:?}");
}

#[test]
fn an_invalid_configuration_is_refused_with_its_key() {
    for (setting, key) in [
        ("queue.puzzle.min_bits=0", "queue.puzzle.min_bits"),
        ("queue.puzzle.min_bits=21", "queue.puzzle.min_bits"),
        ("queue.puzzle.max_bits=9", "queue.puzzle.max_bits"),
        ("queue.puzzle.max_bits=21", "queue.puzzle.max_bits"),
        ("queue.puzzle.from_rate=0", "queue.puzzle.from_rate"),
        ("queue.puzzle.from_rate=1000001", "queue.puzzle.from_rate"),
        ("queue.join_puzzle=maybe", "queue.join_puzzle"),
    ] {
        let output = boxoffice(&["--set", setting], &[]);
        assert!(
            !output.status.success() && text(&output.stderr).contains(key),
            "{setting}: {output:?}"
        );
    }
}
