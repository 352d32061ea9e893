//! Properties of puzzles and their solutions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use adapter_token::{KeyRing, PuzzleRing, TokenKey, solve_puzzle};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::Timestamp;
use domain::queue::{
    Difficulty, JoinPuzzle, PuzzleIssuer, PuzzleRejected, QueueId, TokenSigner, UserId,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;

const NOW: i64 = 1_700_000_000;

fn token_keys(keys: &[u8]) -> KeyRing {
    KeyRing::new(keys.iter().map(|k| TokenKey::from_bytes(&[*k; 32]).unwrap()).collect()).unwrap()
}

fn ring(keys: &[u8], queue: &str) -> PuzzleRing {
    PuzzleRing::new(&token_keys(keys), QueueId::parse(queue).unwrap())
}

fn main_queue() -> PuzzleRing {
    ring(&[1], "main")
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn bits(bits: u8) -> Difficulty {
    Difficulty::new(bits).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A puzzle of user 7 that takes only a few attempts.
fn easy() -> JoinPuzzle {
    main_queue().issue(user(7), bits(2), at(NOW))
}

/// Checks a solution by user 7 on the node with these keys and this queue.
fn check(ring: &PuzzleRing, solution: &str) -> Result<(), PuzzleRejected> {
    ring.check(solution, user(7), bits(2), at(NOW))
}

#[test]
fn every_node_with_the_key_accepts_a_solution_any_number_of_times() {
    let solution = solve_puzzle(&easy());
    for node in [main_queue(), main_queue(), ring(&[2, 1], "main")] {
        assert_eq!(check(&node, &solution), Ok(()));
        assert_eq!(check(&node, &solution), Ok(()));
    }
}

#[test]
fn keys_rotate_as_for_tokens() {
    let old = solve_puzzle(&easy());
    let new = solve_puzzle(&ring(&[2, 1], "main").issue(user(7), bits(2), at(NOW)));
    assert_eq!(check(&ring(&[2], "main"), &old), Err(PuzzleRejected::NotOurs));
    assert_eq!(check(&ring(&[2], "main"), &new), Ok(()));
    assert_eq!(check(&main_queue(), &new), Err(PuzzleRejected::NotOurs));
}

#[test]
fn every_single_bit_change_of_the_puzzle_is_refused() {
    let puzzle = easy();
    let solution = solve_puzzle(&puzzle);
    for bit in 0..puzzle.text.len() * 8 {
        let mut changed = solution.clone().into_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(text) = String::from_utf8(changed) else { continue };
        let answer = check(&main_queue(), &text);
        assert!(
            matches!(answer, Err(PuzzleRejected::NotOurs | PuzzleRejected::Malformed)),
            "bit {bit} of {text}: {answer:?}"
        );
    }
}

#[test]
fn every_truncation_of_the_puzzle_is_refused() {
    let solution = solve_puzzle(&easy());
    let (puzzle, counters) = solution.split_once('.').unwrap();
    for length in 0..puzzle.len() {
        let cut = format!("{}.{counters}", &puzzle[..length]);
        assert!(check(&main_queue(), &cut).is_err(), "{cut}");
        assert!(
            check(&main_queue(), &solution[length + 1..]).is_err(),
            "without its first {length} and one"
        );
    }
}

#[test]
fn no_field_can_be_changed_without_the_key() {
    let puzzle = easy();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&puzzle.text).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let text = BASE64_URL_SAFE_NO_PAD.encode(&changed);
        // The solution is checked last, so the counters need not be right.
        let answer = check(&main_queue(), &format!("{text}.0,1"));
        assert!(
            matches!(answer, Err(PuzzleRejected::NotOurs | PuzzleRejected::Malformed)),
            "bit {bit}: {answer:?}"
        );
    }
}

#[test]
fn a_puzzle_is_valid_for_a_minute() {
    let solution = solve_puzzle(&easy());
    for (age, expected) in [
        (0, Ok(())),
        (60, Ok(())),
        (61, Err(PuzzleRejected::Expired)),
        (100_000, Err(PuzzleRejected::Expired)),
        // Issued by a node whose clock is ahead.
        (-60, Ok(())),
        (-61, Err(PuzzleRejected::Expired)),
    ] {
        let answer = main_queue().check(&solution, user(7), bits(2), at(NOW + age));
        assert_eq!(answer, expected, "after {age} s");
    }
}

#[test]
fn a_puzzle_is_bound_to_one_user_one_queue_and_one_key() {
    let solution = solve_puzzle(&easy());
    let as_other_user = main_queue().check(&solution, user(8), bits(2), at(NOW));
    assert_eq!(as_other_user, Err(PuzzleRejected::OtherUser));
    assert_eq!(check(&ring(&[1], "main-2"), &solution), Err(PuzzleRejected::OtherQueue));
    assert_eq!(check(&ring(&[3], "main"), &solution), Err(PuzzleRejected::NotOurs));
}

#[test]
fn a_solution_below_the_required_difficulty_is_too_easy() {
    let solution = solve_puzzle(&easy());
    let lowest = |lowest| main_queue().check(&solution, user(7), bits(lowest), at(NOW));
    assert_eq!((lowest(1), lowest(2)), (Ok(()), Ok(())));
    assert_eq!(lowest(3), Err(PuzzleRejected::TooEasy));
}

#[test]
fn a_solution_has_exactly_its_parts_in_ascending_order() {
    let puzzle = easy();
    // Three that succeed, and one that does not.
    let many = solve_puzzle(&JoinPuzzle { parts: 3, ..puzzle.clone() });
    let counters: Vec<&str> = many.split_once('.').unwrap().1.split(',').collect();
    let [a, b, c] = counters[..] else { unreachable!("three were requested") };
    let wrong =
        (0..).map(|n: u64| n.to_string()).find(|n| !counters.contains(&n.as_str())).unwrap();
    let (low, high) = if wrong.parse::<u64>().unwrap() < a.parse().unwrap() {
        (wrong.as_str(), a)
    } else {
        (a, wrong.as_str())
    };
    for (counters, expected) in [
        (format!("{a},{b}"), Ok(())),
        (format!("{a},{c}"), Ok(())),
        (format!("{b},{a}"), Err(PuzzleRejected::WrongParts)),
        (format!("{a},{a}"), Err(PuzzleRejected::WrongParts)),
        (format!("{a},{b},{c}"), Err(PuzzleRejected::WrongParts)),
        (a.to_owned(), Err(PuzzleRejected::WrongParts)),
        (format!("{low},{high}"), Err(PuzzleRejected::Unsolved)),
        (format!("{a},0{b}"), Err(PuzzleRejected::Malformed)),
        (format!("{a},+{b}"), Err(PuzzleRejected::Malformed)),
        (format!("{a}, {b}"), Err(PuzzleRejected::Malformed)),
        (format!("{a},{b},"), Err(PuzzleRejected::WrongParts)),
        (format!("{a},"), Err(PuzzleRejected::Malformed)),
        (format!("{a},18446744073709551616"), Err(PuzzleRejected::Malformed)),
        (String::new(), Err(PuzzleRejected::Malformed)),
    ] {
        let answer = check(&main_queue(), &format!("{}.{counters}", puzzle.text));
        assert_eq!(answer, expected, "{counters}");
    }
    assert_eq!(
        check(&main_queue(), &puzzle.text),
        Err(PuzzleRejected::Malformed),
        "no solution at all"
    );
}

#[test]
fn tokens_and_puzzles_are_not_interchangeable() {
    let tokens = token_keys(&[1]);
    assert!(tokens.verify(&easy().text).is_err());
    let place = domain::queue::TokenClaims {
        queue: QueueId::parse("main").unwrap(),
        incarnation: domain::queue::Incarnation::new(1).unwrap(),
        number: domain::queue::QueueNumber::new(1).unwrap(),
        user: user(7),
        issued_at: at(NOW),
    };
    let token = tokens.sign(&place);
    assert!(check(&main_queue(), &format!("{}.1,2", token.as_str())).is_err());
}

#[test]
fn a_puzzle_signed_with_the_token_key_is_refused() {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&easy().text).unwrap();
    let (message, _) = bytes.split_at(bytes.len() - 16);
    let mut mac = Hmac::<Sha256>::new_from_slice(&[1; 32]).unwrap();
    mac.update(message);
    let signed = [message, &mac.finalize().into_bytes()[..16]].concat();
    let solution = format!("{}.0,1", BASE64_URL_SAFE_NO_PAD.encode(signed));
    assert_eq!(check(&main_queue(), &solution), Err(PuzzleRejected::NotOurs));
}

#[test]
fn a_puzzle_of_the_main_queue_has_52_characters_and_its_parameters() {
    let puzzle = easy();
    assert_eq!(puzzle.text.len(), 52);
    assert_eq!((puzzle.iterations, puzzle.parts, puzzle.difficulty), (200, 2, bits(2)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn issued_puzzles_can_be_solved(
        queue in "[a-z0-9-]{1,32}",
        id in 1..=UserId::MAX,
        difficulty in 1_u8..4,
        second in 0_i64..4_000_000_000,
    ) {
        let ring = ring(&[1], &queue);
        let puzzle = ring.issue(user(id), bits(difficulty), at(second));
        prop_assert!(puzzle.text.len() <= 90);
        prop_assert!(puzzle.text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(ring.check(&solve_puzzle(&puzzle), user(id), bits(difficulty), at(second)), Ok(()));
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in "\\PC{0,200}", counters in "[0-9,.]{0,60}") {
        let solution = format!("{text}.{counters}");
        prop_assert!(check(&main_queue(), &text).is_err());
        prop_assert!(check(&main_queue(), &solution).is_err());
    }
}
