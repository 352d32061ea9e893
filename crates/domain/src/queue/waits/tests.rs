//! Timelines of successive snapshots of a queue.

use proptest::prelude::*;

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_777_896_000_000 + ms).unwrap()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A timeline that has seen an empty queue.
fn started() -> Timeline {
    let mut timeline = Timeline::default();
    assert!(look(&mut timeline, (0, 0), 0, 0.0).is_empty());
    timeline
}

/// A snapshot of a queue that no one has left.
fn look(timeline: &mut Timeline, (last, serving): (u64, u64), ms: i64, promised: f64) -> Vec<Wait> {
    timeline.observe(
        QueueCounters::new(last, serving),
        &VacantNumbers::default(),
        at(ms),
        seconds(promised),
    )
}

fn assert_near(seen: Duration, expected: f64) {
    assert!((seen.as_secs_f64() - expected).abs() < 1e-6, "{seen:?} is not {expected} s");
}

#[test]
fn waits_are_reported_in_groups_of_equal_joins_and_estimates() {
    let mut timeline = started();
    look(&mut timeline, (100, 0), 1_000, 10.0);
    look(&mut timeline, (300, 0), 2_000, 30.0);
    let waits = look(&mut timeline, (300, 200), 20_000, 10.0);
    assert_eq!(waits.iter().map(|wait| wait.people).collect::<Vec<_>>(), [100, 100]);
    // Numbers 1 to 100 joined in the first second, 101 to 200 in the first half of the second one.
    assert_near(waits[0].waited, 19.5);
    assert_near(waits[0].promised, 5.0);
    assert_near(waits[1].waited, 18.75);
    assert_near(waits[1].promised, 15.0);
    let waits = look(&mut timeline, (300, 300), 30_000, 0.0);
    assert_eq!(waits.len(), 1);
    assert_near(waits[0].waited, 28.25);
    assert_near(waits[0].promised, 25.0);
}

#[test]
fn people_called_at_once_have_a_zero_wait_and_estimate() {
    let mut timeline = started();
    let waits = look(&mut timeline, (3, 3), 60_000, 0.0);
    assert_eq!(waits, [Wait { people: 3, waited: Duration::ZERO, promised: Duration::ZERO }]);
    assert!(look(&mut timeline, (3, 3), 60_100, 0.0).is_empty());
    // The first of a rush are called at once; the estimates of the others begin behind them.
    let waits = look(&mut timeline, (103, 53), 60_200, 10.0);
    assert_eq!(waits, [Wait { people: 50, waited: Duration::ZERO, promised: Duration::ZERO }]);
    let waits = look(&mut timeline, (103, 103), 70_150, 0.0);
    assert_eq!(waits.len(), 1);
    assert_near(waits[0].waited, 10.0);
    assert_near(waits[0].promised, 5.0);
}

#[test]
fn promises_begin_behind_those_who_were_called_before() {
    // The last one called was promised 10 s, or was called at once.
    for (called, promised) in [(100, 15.0), (150, 10.0)] {
        let mut timeline = started();
        look(&mut timeline, (100, 0), 1_000, 10.0);
        look(&mut timeline, (200, called), 2_000, 20.0);
        let waits = look(&mut timeline, (200, 200), 12_000, 0.0);
        assert_eq!(waits.iter().map(|wait| wait.people).collect::<Vec<_>>(), [200 - called]);
        assert_near(waits[0].waited, 10.5);
        assert_near(waits[0].promised, promised);
    }
}

#[test]
fn a_join_after_a_quiet_time_has_not_waited_through_it() {
    let mut timeline = started();
    look(&mut timeline, (10, 0), 100, 5.0);
    for ms in (200..3_600_000).step_by(1_000) {
        look(&mut timeline, (10, 0), ms, 5.0);
        assert!(timeline.marks.len() <= 3);
    }
    look(&mut timeline, (11, 0), 3_600_000, 5.0);
    let waits = look(&mut timeline, (11, 11), 3_601_000, 0.0);
    assert_eq!(waits.iter().map(|wait| wait.people).collect::<Vec<_>>(), [10, 1]);
    assert!(waits[1].waited < seconds(2.0), "{waits:?}");
}

#[test]
fn joins_before_the_first_snapshot_are_left_out() {
    let mut timeline = Timeline::default();
    look(&mut timeline, (100, 40), 0, 6.0);
    assert!(look(&mut timeline, (120, 90), 1_000, 3.0).is_empty());
    let waits = look(&mut timeline, (120, 120), 2_000, 0.0);
    assert_eq!(waits.iter().map(|wait| wait.people).sum::<u64>(), 20);
}

#[test]
fn abandoned_numbers_are_not_reported_as_called() {
    let mut timeline = started();
    look(&mut timeline, (10, 0), 100, 1.0);
    let left = VacantNumbers::of([2, 3, 9]);
    let waits = timeline.observe(QueueCounters::new(10, 5), &left, at(200), seconds(0.5));
    assert_eq!(waits.iter().map(|wait| wait.people).collect::<Vec<_>>(), [3]);
    let left = VacantNumbers::of(6..=10);
    assert!(
        timeline.observe(QueueCounters::new(10, 10), &left, at(300), Duration::ZERO).is_empty()
    );
}

#[test]
fn a_queue_seen_to_go_back_reports_no_wait_twice() {
    let mut timeline = started();
    look(&mut timeline, (10, 0), 100, 1.0);
    assert_eq!(look(&mut timeline, (10, 5), 200, 1.0).len(), 1);
    assert!(look(&mut timeline, (8, 3), 300, 1.0).is_empty());
    let waits = look(&mut timeline, (10, 10), 400, 0.0);
    assert_eq!(waits.iter().map(|wait| wait.people).sum::<u64>(), 5);
}

#[test]
fn a_long_queue_uses_bounded_memory_with_a_small_relative_error() {
    let mut timeline = started();
    let mut joined = vec![0.0];
    let looks = 50_000_u32;
    for n in 1..=looks {
        // An occasional rush.
        let joins = if n % 7_000 < 1_000 { 5 } else { 1 };
        joined.extend(std::iter::repeat_n(f64::from(n) * 0.1, joins));
        look(&mut timeline, (joined.len() as u64 - 1, 0), i64::from(n) * 100, 0.0);
        assert!(timeline.marks.len() <= MOST_MARKS);
    }
    let end = f64::from(looks) * 0.1;
    for called in (50..joined.len()).step_by(50) {
        let waits = look(
            &mut timeline,
            (joined.len() as u64 - 1, called as u64),
            i64::from(looks) * 100,
            0.0,
        );
        let seen: f64 =
            waits.iter().map(|wait| wait.people as f64 * wait.waited.as_secs_f64()).sum();
        let truth: f64 = joined[called - 49..=called].iter().map(|then| end - then).sum();
        assert!((seen - truth).abs() / 50.0 < end / 1_000.0, "{seen} for {truth}");
    }
}

#[test]
fn a_clock_that_goes_back_and_forth_costs_no_more_memory() {
    let mut timeline = started();
    for n in 1..30_000 {
        look(&mut timeline, (n, 0), if n % 2 == 0 { 1_000_000 } else { 0 }, 0.0);
        assert!(timeline.marks.len() <= MOST_MARKS);
    }
    let waits = look(&mut timeline, (29_999, 29_999), 500_000, 0.0);
    assert_eq!(waits.iter().map(|wait| wait.people).sum::<u64>(), 29_999);
}

/// The marks left of `marks`, a tenth of a second apart except for the newest, made at `newest`.
fn thinned_out(marks: u64, newest: i64) -> Vec<u64> {
    let time = |n: u64| if n + 1 == marks { at(newest) } else { at(n.cast_signed() * 100) };
    let marks = (0..marks).map(|n| Mark { last: n, at: time(n), promised: Duration::ZERO });
    let mut timeline = Timeline { marks: marks.collect(), reported: 0 };
    timeline.thin_out();
    timeline.marks.iter().map(|mark| mark.last).collect()
}

#[test]
fn marks_whose_neighbors_are_within_a_thousandth_of_the_span_are_dropped() {
    // The whole span is 4,096 tenths of a second, so that four are close, and five are not.
    let left = thinned_out(4_097, 409_600);
    assert_eq!(left, (0..=4_096).step_by(4).collect::<Vec<_>>());
}

#[test]
fn if_the_clock_went_back_and_no_marks_are_close_every_other_is_dropped() {
    // The clock is back at the start, so the whole span is zero; the last mark but one is close to
    // it.
    let three_quarters = 3_072;
    assert_eq!(thinned_out(three_quarters + 1, 0).len(), 3_072);
    let left = thinned_out(three_quarters + 3, 0);
    let every_other = (0..=three_quarters).step_by(2).chain([three_quarters + 2]);
    assert_eq!(left, every_other.collect::<Vec<_>>(), "and the newest stays");
}

#[test]
fn numbers_are_from_0_to_1_on_the_way_between_two_marks() {
    let share = |from, to| middle(10, 30, from, to);
    for ((from, to), expected) in
        [((10, 30), 0.5), ((10, 10), 0.0), ((30, 30), 1.0), ((10, 20), 0.25)]
    {
        assert!((share(from, to) - expected).abs() < 1e-9, "{from} {to}");
    }
    assert_eq!(middle(10, 10, 10, 10), 0.0, "no number is between them");
}

#[test]
fn an_unbounded_promise_is_accepted() {
    let mut timeline = started();
    for n in 1..4 {
        timeline.observe(QueueCounters::new(n, 0), &VacantNumbers::default(), at(0), Duration::MAX);
    }
    assert_eq!(look(&mut timeline, (3, 3), 1, 0.0).len(), 3);
}

#[derive(Clone, Debug)]
struct Event {
    joins: u64,
    calls: u64,
    leaves: Vec<u64>,
    ms: i64,
}

fn event() -> impl Strategy<Value = Event> {
    let leaves = proptest::collection::vec(1_u64..400, 0..4);
    // A clock that steps back occasionally.
    let ms = prop_oneof![9 => 0_i64..300, 1 => -5_000_i64..5_000];
    (0_u64..20, 0_u64..20, leaves, ms).prop_map(|(joins, calls, leaves, ms)| Event {
        joins,
        calls,
        leaves,
        ms,
    })
}

proptest! {
    #[test]
    fn each_call_is_reported_once(
        before in (0_u64..50, 0_u64..50),
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut timeline = Timeline::default();
        let start = QueueCounters::new(before.0, before.1.min(before.0));
        let (mut counters, mut now, mut left) = (start, 0, Vec::new());
        look(&mut timeline, (counters.last(), counters.serving()), now, 0.0);
        let mut expected = 0;
        for event in events {
            let next = QueueCounters::new(counters.last() + event.joins, (counters.serving() + event.calls).min(counters.last()));
            let known = start.last().max(counters.serving()) + 1..=next.serving();
            expected += known.filter(|number| !left.contains(number)).count() as u64;
            now += event.ms;
            let abandoned = VacantNumbers::of(left.clone());
            let waits = timeline.observe(next, &abandoned, at(now), seconds(1.0));
            let people: u64 = waits.iter().map(|wait| wait.people).sum();
            prop_assert!(waits.iter().all(|wait| wait.people > 0));
            prop_assert!(waits.iter().all(|wait| wait.waited <= seconds(1_000.0)));
            expected -= people;
            prop_assert_eq!(expected, 0);
            counters = next;
            left.retain(|number| *number > counters.serving());
            left.extend(event.leaves.into_iter().filter(|n| *n > counters.serving() && *n <= counters.last()));
        }
    }

    /// The total wait as seen, against the actual one, in a queue with a snapshot every 100 ms.
    #[test]
    fn waits_are_right_to_a_refresh_on_average(
        events in proptest::collection::vec((0_usize..20, 0_usize..20), 1..200),
    ) {
        let mut timeline = started();
        let mut joined: Vec<f64> = Vec::new();
        let (mut serving, mut people) = (0, 0);
        let (mut seen, mut truth) = (0.0, 0.0);
        for (nth, (joins, calls)) in events.into_iter().enumerate() {
            let now = (nth + 1) as f64 * 0.1;
            // Spread over the time since the last snapshot.
            joined.extend((1..=joins).map(|n| now - 0.1 + 0.1 * n as f64 / joins as f64));
            let next = (serving + calls).min(joined.len());
            truth += joined[serving..next].iter().map(|then| now - then).sum::<f64>();
            serving = next;
            let ms = i64::try_from(nth + 1).unwrap() * 100;
            for wait in look(&mut timeline, (joined.len() as u64, serving as u64), ms, 0.0) {
                seen += wait.people as f64 * wait.waited.as_secs_f64();
                people += wait.people;
            }
        }
        prop_assert_eq!(people, serving as u64);
        prop_assert!((seen - truth).abs() <= 0.1 * people as f64 + 1e-6, "{} for {}", seen, truth);
    }
}
