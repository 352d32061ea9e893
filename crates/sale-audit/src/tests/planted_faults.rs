//! Small records: each fault is found, and the same record without it is accepted.

use std::time::Duration;

use super::*;

const NUMBERS: &str = "no number twice";
const JOINS: &str = "order of joining";
const SERVING: &str = "order of calling";
const ACTIVE: &str = "never more active than allowed";
const ENTRY: &str = "nobody let in who was not called";
const TURNED_AWAY: &str = "nobody called is turned away";
const FORGED: &str = "forged and junk refused";
const RATE: &str = "rate of calling";
const SERVED: &str = "everybody served";

/// No settings other than that of the tested property.
fn loose() -> AuditSettings {
    AuditSettings { batch: None, max_active: None, ..tight() }
}

#[test]
fn one_number_for_two_users() {
    broken(&[join(1, 0, 5, 0), join(1, 3, 6, 0).with("user", 7)], NUMBERS);
    good(&[join(1, 0, 5, 0), join(2, 3, 6, 0)]);
}

#[test]
fn a_number_that_changes_while_the_place_is_valid() {
    let again = |number| join(number, 10, 15, 0).with("user", 100);
    broken(&[join(1, 0, 5, 0), again(2)], NUMBERS);
    good(&[join(1, 0, 5, 0), again(1)]);
    // It was released, or may have been, or was reported as over, or is so old that it may have
    // lapsed.
    good(&[join(1, 0, 5, 0), leave(1, 6, 7, 204), again(2)]);
    good(&[join(1, 0, 5, 0), leave(1, 6, 60, 0), again(2)]);
    good(&[join(1, 0, 5, 0), join(2, 10_000, 10_005, 0).with("user", 100)]);
    // The order of two overlapping joins is unknown.
    good(&[join(1, 0, 15, 0), join(2, 0, 14, 0).with("user", 100), leave(1, 6, 7, 204)]);
    // But a refused leave cannot have ended the first place.
    let refused = leave(1, 6, 7, 503).with("code", "OVERLOADED");
    broken(&[join(1, 0, 5, 0), refused, again(2)], NUMBERS);
}

#[test]
fn a_status_query_that_returns_a_number_no_join_returned() {
    broken(&[join(1, 0, 5, 0), request(2, 9, 10, 0).with("user", 100)], NUMBERS);
    good(&[join(1, 0, 5, 0), request(1, 9, 10, 0)]);
}

#[test]
fn a_later_join_gets_a_lower_number() {
    broken(&[join(2, 0, 5, 2), join(1, 6, 9, 1)], JOINS);
    good(&[join(1, 0, 5, 1), join(2, 6, 9, 2)]);
    // Within one millisecond they may have overlapped.
    good(&[join(2, 0, 5, 2), join(1, 5, 9, 1)]);
    // The number may come from a join that was never answered, but not from one that was refused.
    good(&[join(2, 3, 5, 2), line("join", 100, 0, 60, 0), join(1, 60, 69, 1)]);
    broken(&[join(2, 3, 5, 2), line("join", 100, 0, 4, 429), join(1, 60, 69, 1)], JOINS);
}

#[test]
fn the_largest_inversion_is_reported() {
    let verdict = judge(&[join(2, 0, 5, 2), join(1, 5, 9, 1)], &tight());
    assert!(verdict.text().contains("up to 4 ms after a greater one"), "{}", verdict.text());
}

#[test]
fn serving_moves_backwards() {
    let before = || [join(1, 0, 5, 1), join(2, 6, 9, 2), request(2, 20, 25, 0)];
    let with = |last: Line| before().into_iter().chain([last]).collect::<Vec<_>>();
    // Number 1 is overtaken: 2 was called, and every node must know that 101 ms later.
    broken(&with(request(1, 127, 130, 1)), SERVING);
    good(&with(request(1, 126, 130, 1)));
    good(&with(request(1, 127, 130, 1).with("stale", true)));
    good(&with(request(1, 127, 130, 0)));
    let one_node = AuditSettings { one_node: true, ..tight() };
    broken_by(&with(request(1, 26, 30, 1)), &one_node, SERVING);
    good_by(&with(request(1, 25, 30, 1)), &one_node);
}

#[test]
fn a_position_shows_a_lower_bound_of_serving() {
    let before = |position| [join(5, 0, 5, 5), request(5, 10, 15, position)];
    let later = |position| request(9, 200, 205, position).with("user", 500).with("client", 9);
    let alone = |first, second| {
        let [a, b] = before(first);
        [a, b, line("join", 900, 0, 1, 0), later(second).with("user", 900)]
    };
    // At most 4 of 9 are ahead of it after 4 of 5 have been called.
    broken_by(&alone(1, 6), &loose(), SERVING);
    good_by(&alone(1, 5), &loose());
    good_by(&alone(2, 6), &loose());
}

#[test]
fn abandoned_numbers_explain_a_position() {
    let joins = || (1..=5).map(|n| join(n, 0, 5, n));
    let with = |more: Vec<Line>| joins().chain(more).collect::<Vec<_>>();
    // Number 5 learns that one person is ahead: three were called, or fewer were called and the
    // others left.
    let seen = |more: Vec<Line>| {
        with(more.into_iter().chain([request(5, 20, 25, 2), request(4, 300, 305, 4)]).collect())
    };
    broken_by(&seen(vec![]), &loose(), SERVING);
    good_by(&seen(vec![leave(1, 6, 7, 204), leave(2, 6, 7, 204), leave(3, 6, 7, 0)]), &loose());
}

#[test]
fn an_impossible_position() {
    broken(&[join(1, 0, 5, 2)], SERVING);
    broken(&[join(1, 0, 5, 0), request(1, 6, 9, 0).with("position", 1)], SERVING);
    good(&[join(1, 0, 5, 0), request(1, 6, 9, 0)]);
}

#[test]
fn more_inside_than_allowed() {
    let settings = AuditSettings { batch: None, ..tight() };
    let inside = |n: u64, to| [join(n, 0, 5, 0), dates(n, 10, 15, 200), leave(n, to, to + 5, 204)];
    let three =
        |first_to| [inside(1, first_to), inside(2, 50), inside(3, 50)].into_iter().flatten();
    broken_by(&three(50).collect::<Vec<_>>(), &settings, ACTIVE);
    // By the time number 3 was certainly called, number 1 may have left.
    good_by(&three(5).collect::<Vec<_>>(), &settings);
    // A leave without an answer may have been executed, although another node still grants dates a
    // little later.
    let unknown =
        |line: Vec<Line>| line.into_iter().chain([leave(1, 4, 60, 0)]).collect::<Vec<_>>();
    good_by(&unknown(three(50).collect()), &settings);
}

#[test]
fn a_call_takes_a_slot_before_its_person_learns_of_it() {
    let settings = AuditSettings { batch: None, ..tight() };
    // Number 4 was called by 15, so 2 and 3 were too, and were not admitted before 60.
    let lines = |ask_4| {
        let joins = (1..=4).map(|n| join(n, 0, 5, n));
        let asks = [request(1, 10, 15, 0), leave(1, 16, 17, 204), request(4, ask_4, ask_4 + 5, 0)];
        let held = (2..=4).map(|n| dates(n, 60, 65, 200));
        joins.chain(asks).chain(held).collect::<Vec<_>>()
    };
    broken_by(&lines(10), &settings, ACTIVE);
    good_by(&lines(56), &settings);
}

#[test]
fn admitted_and_not_called() {
    let lines = |sent| [join(1, 0, 5, 1), dates(1, 10, 15, 200), request(1, sent, sent + 5, 1)];
    broken(&lines(117), ENTRY);
    good(&lines(116));
    let one_node = AuditSettings { one_node: true, ..tight() };
    broken_by(&lines(16), &one_node, ENTRY);
    good_by(&lines(15), &one_node);
    // A person with a lower number gets the same answer.
    let by_another =
        [join(1, 0, 5, 1), join(2, 6, 9, 2), dates(2, 10, 15, 200), request(1, 117, 120, 1)];
    broken(&by_another, ENTRY);
}

#[test]
fn admitted_after_leaving() {
    let lines = |sent| [join(1, 0, 5, 0), leave(1, 10, 15, 204), dates(1, sent, sent + 5, 200)];
    broken(&lines(117), ENTRY);
    good(&lines(116));
}

#[test]
fn admitted_with_a_forged_token() {
    let lines = |status| [join(1, 0, 5, 0), dates(1, 10, 15, status).with("forged", true)];
    let verdict = judge(&lines(200), &tight());
    assert_eq!(verdict.broken(), [ENTRY, FORGED], "{}", verdict.text());
    good(&lines(401));
}

#[test]
fn called_and_refused() {
    let lines = |sent, status| [join(1, 0, 5, 0), dates(1, sent, sent + 5, status)];
    for status in [401, 410] {
        broken(&lines(6, status), TURNED_AWAY);
    }
    good(&lines(6, 200));
    for status in [0, 429, 503] {
        good(&lines(6, status));
    }
    // Another node may not know yet.
    good(&lines(106, 403));
    let verdict = judge(&lines(107, 403), &tight());
    assert_eq!(verdict.broken(), [SERVING, TURNED_AWAY], "{}", verdict.text());
}

#[test]
fn a_call_that_may_have_lapsed_does_not_count() {
    // Its person learned of it late, but it may have lapsed 10 s after joining.
    let lines =
        |sent| [join(1, 0, 5, 1), request(1, 9_000, 9_005, 0), dates(1, sent, sent + 5, 410)];
    broken(&lines(9_990), TURNED_AWAY);
    good(&lines(9_994));
    // It was seen waiting at 5 s, so the call cannot have lapsed before 15 s.
    let waited =
        |sent| lines(sent).into_iter().chain([request(1, 5_000, 5_005, 1)]).collect::<Vec<_>>();
    broken(&waited(14_800), TURNED_AWAY);
    good(&waited(14_895));
}

#[test]
fn a_session_lasts_from_its_first_use() {
    let lines =
        |sent| [join(1, 0, 5, 0), dates(1, 8_000, 8_005, 200), dates(1, sent, sent + 5, 410)];
    broken(&lines(17_990), TURNED_AWAY);
    good(&lines(17_995));
    // A request without an answer may have begun it.
    let unknown =
        |sent| lines(sent).into_iter().chain([dates(1, 2_000, 2_060, 0)]).collect::<Vec<_>>();
    broken(&unknown(11_990), TURNED_AWAY);
    good(&unknown(11_995));
}

#[test]
fn a_place_that_was_not_released_is_not_over() {
    let expired = || request(1, 20, 25, 0).with("state", "EXPIRED");
    broken(&[join(1, 0, 5, 1), expired()], TURNED_AWAY);
    good(&[join(1, 0, 5, 1), leave(1, 10, 15, 204), expired()]);
    good(&[join(1, 0, 5, 1), leave(1, 25, 26, 204), expired()]);
}

#[test]
fn forged_tokens_and_junk_are_refused() {
    let forged = |status| [join(1, 0, 5, 0), line("ask", 100, 6, 9, status).with("forged", true)];
    for status in [200, 400, 403, 404, 410, 500] {
        broken(&forged(status), FORGED);
    }
    for status in [0, 401, 429, 503] {
        good(&forged(status));
    }
    let junk = |status| [join(1, 0, 5, 0), line("junk", 0, 6, 9, status)];
    for status in [200, 204, 500] {
        broken(&junk(status), FORGED);
    }
    for status in [0, 400, 401, 404, 405, 413, 431, 503] {
        good(&junk(status));
    }
}

#[test]
fn people_called_too_fast() {
    let settings = AuditSettings { max_active: None, ..tight() };
    // Two of a saved batch, and two more a second; `serving` was at 0 at the earliest at 19 - 101.
    let lines = |mark: u64, sent: i64| {
        let joins = (1..=9).map(|n| join(n, 0, 5, n));
        joins.chain([request(1, 20, 21, 1), request(mark, sent, sent + 5, 0)]).collect::<Vec<_>>()
    };
    // Joins are answered from the store itself, at 0.
    broken_by(&lines(3, 450), &settings, RATE);
    good_by(&lines(3, 520), &settings);
    broken_by(&lines(6, 1_800), &settings, RATE);
    good_by(&lines(6, 2_020), &settings);
    good_by(&lines(6, 1_800), &AuditSettings { batch: None, ..settings.clone() });
    // An abandoned number is skipped and costs no budget.
    let left = lines(3, 450).into_iter().chain([leave(2, 10, 15, 204)]).collect::<Vec<_>>();
    good_by(&left, &settings);
}

#[test]
fn people_who_joined_and_were_not_served() {
    let settings = AuditSettings { all_served: true, ..tight() };
    let served = || vec![join(1, 0, 5, 0), dates(1, 10, 15, 200), leave(1, 20, 25, 204)];
    good_by(&served(), &settings);
    for missing in [1, 2] {
        let mut lines = served();
        lines.remove(missing);
        broken_by(&lines, &settings, SERVED);
        good(&lines);
        // Hostile clients need not be served.
        let hostile = lines.into_iter().map(|line| line.with("kind", "hammer"));
        good_by(&hostile.collect::<Vec<_>>(), &settings);
    }
}

#[test]
fn five_violations_are_quoted_and_all_are_counted() {
    let junk: Vec<Line> =
        (0..8).map(|at| line("junk", 0, at, at, 500).with("kind", "junk")).collect();
    let text = judge(&junk, &AuditSettings { claim_within: Duration::from_secs(1), ..tight() })
        .text()
        .to_owned();
    assert!(text.contains("VIOLATED, 8 forged and junk requests, 8 violations"), "{text}");
    assert_eq!(
        text.matches("    not refused as it must be: junk client 0 Junk").count(),
        5,
        "{text}"
    );
}
