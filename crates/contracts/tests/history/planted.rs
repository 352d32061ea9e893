//! A violation of each rule, and legal histories that resemble it.

use std::time::Duration;

use contracts::history::{FINDINGS_PER_RULE, Rule, Rules, check};

use crate::story::{breaks, ms, passes, story};

const NO_LIMITS: Rules = Rules {
    max_active: None,
    view_lag: Duration::ZERO,
    places_end_after: None,
    position_slack: 0,
    is_drained: false,
    places_survive: false,
};

#[test]
fn one_number_is_given_to_one_user() {
    breaks(
        Rule::NumbersAreUnique,
        &NO_LIMITS,
        &["0 9 join 1 number 1 fresh", "5 15 join 2 number 1 fresh"],
    );
    let after_it_ended = [
        "0 10 join 1 number 1 fresh",
        "20 30 leave 1 1 left",
        "40 50 find-again 2 number 1 fresh",
        "60 70 join 3 unknown",
    ];
    breaks(Rule::NumbersAreUnique, &NO_LIMITS, &after_it_ended);
    passes(
        &NO_LIMITS,
        &[
            "0 10 join 1 number 1 fresh",
            "20 30 join 1 number 1 rejoined",
            "40 50 join 2 number 2 fresh",
        ],
    );
}

#[test]
fn one_user_has_one_place_until_it_may_have_ended() {
    let twice = |between: &'static str| {
        vec![
            "0 10 join 1 number 1 fresh",
            between,
            "40 50 join 1 number 2 fresh",
            "60 70 join 9 refused",
        ]
    };
    for no_end in [
        "20 30 join 9 unknown",
        "20 30 leave 1 1 refused",
        "20 30 leave 2 1 left",
        "20 30 leave 1 7 left",
        "51 60 leave 1 1 left",
        "51 60 leave 1 1 unknown",
        "20 30 ask 1 1 called",
    ] {
        breaks(Rule::OnePlaceAUser, &NO_LIMITS, &twice(no_end));
    }
    for end in [
        "20 30 leave 1 1 left",
        "20 30 leave 1 1 unknown",
        "45 90 leave 1 1 unknown",
        "50 - leave 1 1 unknown",
        "20 30 ask 1 1 gone",
        "20 30 admit 1 1 gone",
        "20 30 leave 1 1 gone",
    ] {
        passes(&NO_LIMITS, &twice(end));
    }
}

#[test]
fn one_user_has_one_place_when_joins_overlap_or_numbers_fall() {
    breaks(
        Rule::OnePlaceAUser,
        &NO_LIMITS,
        &["0 20 join 1 number 1 fresh", "0 20 join 1 number 2 fresh", "1 2 join 9 refused"],
    );
    breaks(
        Rule::OnePlaceAUser,
        &NO_LIMITS,
        &[
            "0 10 join 1 number 1 fresh",
            "11 12 leave 1 1 left",
            "20 30 join 1 number 2 fresh",
            "40 50 join 1 number 1 rejoined",
        ],
    );
    let left_before_it_was_seen_again = [
        "0 10 join 1 number 1 fresh",
        "11 12 leave 1 1 left",
        "20 30 join 1 number 1 rejoined",
        "40 50 join 1 number 2 fresh",
    ];
    breaks(Rule::OnePlaceAUser, &NO_LIMITS, &left_before_it_was_seen_again);
    let left_during_overlapping_joins =
        ["0 50 join 1 number 2 fresh", "1 50 join 1 number 1 fresh", "2 50 leave 1 1 left"];
    passes(&NO_LIMITS, &left_during_overlapping_joins);
}

#[test]
fn one_user_gets_another_place_once_the_first_may_have_expired() {
    let rules = Rules { places_end_after: Some(ms(100)), view_lag: ms(10), ..NO_LIMITS };
    passes(&rules, &["0 10 join 1 number 1 fresh", "80 100 join 1 number 2 fresh"]);
    breaks(
        Rule::OnePlaceAUser,
        &rules,
        &["0 10 join 1 number 1 fresh", "80 99 join 1 number 2 fresh"],
    );
    // The op at 50 shows that it was still uncalled at 40.
    let later = "50 60 ask 1 1 waiting 1";
    passes(&rules, &["0 10 join 1 number 1 fresh", later, "130 140 join 1 number 2 fresh"]);
    breaks(
        Rule::OnePlaceAUser,
        &rules,
        &["0 10 join 1 number 1 fresh", later, "130 139 join 1 number 2 fresh"],
    );
    // The join without an answer may have given the number.
    passes(
        &rules,
        &["0 1 join 1 unknown", "50 60 join 1 number 1 fresh", "90 100 join 1 number 2 fresh"],
    );
}

#[test]
fn numbers_follow_the_order_of_joining() {
    breaks(
        Rule::OrderOfJoins,
        &NO_LIMITS,
        &[
            "0 10 join 1 number 2 fresh",
            "11 20 join 2 number 1 fresh",
            "12 13 join 3 number 3 fresh",
        ],
    );
    // Neither join ended before the other began.
    passes(&NO_LIMITS, &["0 10 join 1 number 2 fresh", "9 20 join 2 number 1 fresh"]);
    passes(&NO_LIMITS, &["0 10 join 1 number 2 fresh", "10 20 join 2 number 1 fresh"]);
    // The earlier join may have given the number.
    let before = |reported: &'static str| {
        [reported, "5 10 join 1 number 2 fresh", "11 20 join 2 number 1 rejoined"]
    };
    passes(&NO_LIMITS, &before("0 4 join 2 unknown"));
    passes(&NO_LIMITS, &before("0 4 join 2 number 1 fresh"));
    breaks(Rule::OrderOfJoins, &NO_LIMITS, &before("0 4 join 2 refused"));
    // `FindAgain` counts as a join too.
    breaks(
        Rule::OrderOfJoins,
        &NO_LIMITS,
        &["0 10 join 1 number 2 fresh", "11 20 find-again 2 number 1 fresh"],
    );
}

#[test]
fn no_number_waits_once_a_higher_one_was_called() {
    let rules = Rules { view_lag: ms(10), ..NO_LIMITS };
    let joined = ["0 1 join 1 number 1 fresh", "2 3 join 2 number 2 fresh"];
    let then = |rest: &[&'static str]| [&joined, rest].concat();
    for called in ["10 20 ask 2 2 called", "10 20 ask 2 2 active", "10 20 admit 2 2 let-in 90"] {
        for waits in ["31 40 ask 1 1 waiting 1", "31 40 admit 1 1 not-yet"] {
            breaks(Rule::OrderOfCalls, &rules, &then(&[called, waits]));
            breaks(Rule::OrderOfCalls, &rules, &then(&[called, waits, "41 42 leave 1 1 left"]));
            breaks(Rule::OrderOfCalls, &rules, &then(&[called, waits, "5 6 leave 1 1 refused"]));
            passes(&rules, &then(&[called, waits, "5 6 leave 1 1 left"]));
            passes(&rules, &then(&[called, waits, "39 50 leave 1 1 unknown"]));
        }
        passes(&rules, &then(&[called, "30 40 ask 1 1 waiting 1"]));
        passes(&rules, &then(&[called, "31 40 ask 1 1 unknown"]));
    }
    passes(&rules, &then(&["10 20 ask 2 2 unknown", "31 40 ask 1 1 waiting 1"]));
    passes(&rules, &then(&["10 20 ask 1 1 called", "31 40 ask 2 2 waiting 1"]));
}

#[test]
fn a_called_number_never_waits_again() {
    let rules = Rules { view_lag: ms(10), ..NO_LIMITS };
    let ops = |called, again| ["0 1 join 1 number 1 fresh", called, again];
    for called in ["10 20 ask 1 1 called", "10 20 ask 1 1 active", "10 20 admit 1 1 let-in 90"] {
        breaks(Rule::CalledForGood, &rules, &ops(called, "31 40 ask 1 1 waiting 1"));
        breaks(Rule::CalledForGood, &rules, &ops(called, "31 40 admit 1 1 not-yet"));
        passes(&rules, &ops(called, "30 40 admit 1 1 not-yet"));
        passes(&rules, &ops(called, "31 40 ask 1 1 gone"));
    }
}

#[test]
fn positions_do_not_grow() {
    let rules = Rules { view_lag: ms(10), ..NO_LIMITS };
    let ops = |first, then| ["0 1 join 1 number 9 fresh", first, then];
    breaks(Rule::PositionsShrink, &rules, &ops("2 5 ask 1 9 waiting 5", "16 20 ask 1 9 waiting 6"));
    passes(&rules, &ops("2 5 ask 1 9 waiting 5", "15 20 ask 1 9 waiting 6"));
    passes(&rules, &ops("2 5 ask 1 9 waiting 5", "16 20 ask 1 9 waiting 5"));
    passes(&rules, &ops("2 5 ask 1 8 waiting 5", "16 20 ask 1 9 waiting 6"));
    let slack = Rules { position_slack: 3, ..rules };
    passes(&slack, &ops("2 5 ask 1 9 waiting 5", "16 20 ask 1 9 waiting 8"));
    breaks(Rule::PositionsShrink, &slack, &ops("2 5 ask 1 9 waiting 5", "16 20 ask 1 9 waiting 9"));
}

#[test]
fn no_more_sessions_run_than_allowed() {
    let rules = Rules { max_active: Some(1), ..NO_LIMITS };
    let joined =
        ["0 1 join 1 number 1 fresh", "2 3 join 2 number 2 fresh", "10 20 admit 1 1 let-in 100"];
    let then = |rest: &[&'static str]| [&joined, rest].concat();
    let second = "90 100 admit 2 2 let-in 100";
    breaks(Rule::Limit, &rules, &then(&[second]));
    breaks(Rule::Limit, &rules, &then(&[second, "101 102 leave 1 1 left"]));
    breaks(Rule::Limit, &rules, &then(&[second, "50 51 leave 1 1 refused"]));
    passes(&Rules { max_active: Some(2), ..NO_LIMITS }, &then(&[second]));
    for ends_first in [
        "50 60 leave 1 1 left",
        "50 60 leave 1 1 unknown",
        "100 110 leave 1 1 left",
        "5 6 leave 1 1 unknown",
        "50 60 leave 1 1 gone",
        "50 60 ask 1 1 gone",
    ] {
        passes(&rules, &then(&[ends_first, second]));
    }
    passes(&rules, &then(&["90 100 admit 2 2 unknown"]));
    // It was claimed at 10 at the earliest, so it ends at 110 at the earliest.
    passes(&rules, &then(&["90 110 admit 2 2 let-in 100"]));
    breaks(Rule::Limit, &rules, &then(&["90 109 admit 2 2 let-in 100"]));
}

#[test]
fn a_session_is_as_long_as_its_first_claim_allows() {
    let rules = Rules { max_active: Some(1), view_lag: ms(2), ..NO_LIMITS };
    let with = |rest: &[&'static str]| {
        [&["0 1 join 1 number 1 fresh", "2 3 join 2 number 2 fresh"], rest].concat()
    };
    // It may have been claimed at 4.
    let doubtful = ["4 9 admit 1 1 unknown", "50 60 admit 1 1 let-in 100"];
    passes(&rules, &[&with(&doubtful)[..], &["90 104 admit 2 2 let-in 100"]].concat());
    breaks(Rule::Limit, &rules, &[&with(&doubtful)[..], &["90 103 admit 2 2 let-in 100"]].concat());
    // It was not claimed by 38, since a later op shows it as called.
    let unclaimed = ["4 9 admit 1 1 unknown", "40 45 ask 1 1 called", "50 60 admit 1 1 let-in 100"];
    passes(&rules, &[&with(&unclaimed)[..], &["90 138 admit 2 2 let-in 100"]].concat());
    breaks(
        Rule::Limit,
        &rules,
        &[&with(&unclaimed)[..], &["90 137 admit 2 2 let-in 100"]].concat(),
    );
    // Entering again does not extend a session, and a response may state the remaining time.
    let again = ["10 20 admit 1 1 let-in 100", "60 70 admit 1 1 let-in 50"];
    passes(&rules, &[&with(&again)[..], &["90 110 admit 2 2 let-in 100"]].concat());
    breaks(Rule::Limit, &rules, &[&with(&again)[..], &["90 109 admit 2 2 let-in 100"]].concat());
    // It was lost after it was last seen, which showed the state at 68 or later.
    let lost = ["10 20 admit 1 1 let-in 100", "70 71 ask 1 1 active", "90 91 ask 1 1 gone"];
    passes(&rules, &[&with(&lost)[..], &["60 68 admit 2 2 let-in 100"]].concat());
    breaks(Rule::Limit, &rules, &[&with(&lost)[..], &["60 67 admit 2 2 let-in 100"]].concat());
    // Every session is gone at its end.
    let ended = ["10 20 admit 1 1 let-in 100", "110 111 ask 1 1 gone"];
    breaks(Rule::Limit, &rules, &[&with(&ended)[..], &["90 109 admit 2 2 let-in 100"]].concat());
}

#[test]
fn a_held_place_is_found_again() {
    let then = |rest: &[&'static str]| [&["0 1 join 1 number 1 fresh"], rest].concat();
    let rule = Rule::NobodyForgotten;
    breaks(rule, &NO_LIMITS, &then(&["90 99 find-again 1 number 2 fresh"]));
    breaks(rule, &NO_LIMITS, &then(&["90 99 find-again 1 refused"]));
    breaks(
        rule,
        &NO_LIMITS,
        &then(&["80 85 find-again 1 number 1 rejoined", "90 99 find-again 1 number 2 fresh"]),
    );
    passes(&NO_LIMITS, &then(&["90 99 find-again 1 number 1 rejoined"]));
    passes(&NO_LIMITS, &then(&["90 99 find-again 1 unknown"]));
    passes(
        &NO_LIMITS,
        &then(&["80 85 find-again 1 refused", "90 99 find-again 1 number 1 rejoined"]),
    );
    passes(&NO_LIMITS, &then(&["90 99 find-again 2 number 2 fresh"]));
    for end in ["10 20 leave 1 1 left", "10 20 leave 1 1 unknown", "10 20 ask 1 1 gone"] {
        passes(&NO_LIMITS, &then(&[end, "90 99 find-again 1 number 2 fresh"]));
        passes(&NO_LIMITS, &then(&[end, "90 99 find-again 1 refused"]));
    }
    let lapsing = |after| Rules { places_end_after: Some(ms(after)), ..NO_LIMITS };
    passes(&lapsing(99), &then(&["90 99 find-again 1 number 2 fresh"]));
    breaks(rule, &lapsing(100), &then(&["90 99 find-again 1 number 2 fresh"]));
}

#[test]
fn in_a_drained_queue_every_user_has_been_called() {
    let drained = Rules { is_drained: true, ..NO_LIMITS };
    let joined = ["0 1 join 1 number 1 fresh", "5 6 ask 1 1 waiting 1"];
    breaks(Rule::EverybodyCalled, &drained, &joined);
    breaks(Rule::EverybodyCalled, &drained, &[&joined[..], &["7 8 admit 1 1 unknown"]].concat());
    passes(&NO_LIMITS, &joined);
    for through in [
        "7 8 ask 1 1 called",
        "7 8 admit 1 1 let-in 9",
        "7 8 ask 1 1 gone",
        "7 8 leave 1 1 left",
        "7 8 leave 1 1 unknown",
    ] {
        passes(&drained, &[&joined[..], &[through]].concat());
    }
    passes(
        &drained,
        &["0 1 join 1 unknown", "2 3 join 2 refused", "90 99 find-again 1 number 1 fresh"],
    );
}

#[test]
fn surviving_places_are_not_gone_without_a_reason() {
    let surviving = Rules { places_survive: true, places_end_after: Some(ms(100)), ..NO_LIMITS };
    let then = |rest: &[&'static str]| [&["0 1 join 1 number 1 fresh"], rest].concat();
    for gone in
        ["50 60 ask 1 1 gone", "50 60 admit 1 1 gone", "50 60 leave 1 1 gone", "90 99 ask 1 1 gone"]
    {
        breaks(Rule::GoneForAReason, &surviving, &then(&[gone]));
        passes(&surviving, &then(&[gone, "20 30 leave 1 1 unknown"]));
        passes(&NO_LIMITS, &then(&[gone]));
    }
    passes(&surviving, &then(&["90 100 ask 1 1 gone"]));
    passes(&surviving, &["90 99 ask 1 1 gone"]);
}

#[test]
fn users_are_admitted_only_with_their_own_numbers() {
    breaks(
        Rule::NothingForged,
        &NO_LIMITS,
        &["0 1 join 1 number 1 fresh", "5 6 admit 2 1 let-in 100", "7 8 join 2 unknown"],
    );
    breaks(
        Rule::NothingForged,
        &NO_LIMITS,
        &["5 6 admit 1 1 let-in 100", "7 8 join 1 number 1 fresh", "9 10 join 2 number 2 fresh"],
    );
    passes(&NO_LIMITS, &["0 1 join 1 number 1 fresh", "5 6 admit 1 1 let-in 100"]);
    passes(&NO_LIMITS, &["5 6 admit 1 1 gone", "5 6 admit 1 1 refused", "5 6 admit 1 1 unknown"]);
}

#[test]
fn a_response_fits_its_invocation() {
    for nonsense in [
        "0 1 join 1 left",
        "0 1 ask 1 1 number 1 fresh",
        "0 1 ask 1 1 let-in 5",
        "0 1 admit 1 1 waiting 3",
        "0 1 leave 1 1 called",
        "0 1 find-again 1 not-yet",
    ] {
        breaks(Rule::AnswersFit, &NO_LIMITS, &[nonsense]);
    }
    passes(&NO_LIMITS, &["0 1 join 1 refused", "0 - leave 1 1 unknown"]);
}

#[test]
fn findings_are_counted_and_the_earliest_listed() {
    let mut ops = vec!["1 2 join 1 number 1 fresh".to_owned()];
    ops.extend((1..=50).rev().map(|n| format!("{}0 {}5 join {} number 1 fresh", n, n, n + 1)));
    let findings = check(&story(&ops), &NO_LIMITS).unwrap_err();
    assert_eq!((findings.total(), findings.found().len()), (50, FINDINGS_PER_RULE));
    assert!(findings.has(Rule::NumbersAreUnique) && !findings.has(Rule::Limit));
    let text = findings.to_string();
    let first = "one number was given to two users\n  \
                 op 0, from 1ms to 2ms: user 1 joins: number 1\n  \
                 op 50, from 10ms to 15ms: user 2 joins: number 1\n";
    assert!(text.starts_with(&format!("50 findings, 20 of them here:\n{first}")), "{text}");
}
