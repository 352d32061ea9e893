//! The vacant numbers, against a plain set.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn number(n: u64) -> QueueNumber {
    QueueNumber::new(n).unwrap()
}

#[test]
fn a_position_is_the_people_ahead_plus_one_and_0_once_called() {
    let none = VacantNumbers::default();
    let counters = QueueCounters::new(10, 4);
    assert_eq!(none.position_of(number(4), counters), Position::CALLED);
    assert_eq!(none.position_of(number(5), counters).get(), 1);
    assert_eq!(none.position_of(number(10), counters).get(), 6);
    assert_eq!((none.len(), none.is_empty()), (0, true));
}

#[test]
fn abandoned_numbers_are_not_counted_as_people() {
    let vacant = VacantNumbers::of([9, 3, 6, 7]);
    let counters = QueueCounters::new(10, 4);
    assert_eq!(vacant.position_of(number(5), counters).get(), 1);
    assert_eq!(vacant.position_of(number(8), counters).get(), 2, "6 and 7 are vacant, 5 is ahead");
    assert_eq!(vacant.position_of(number(10), counters).get(), 3, "5 and 8 are ahead");
    assert_eq!(
        vacant.position_of(number(7), counters).get(),
        2,
        "5 is ahead, whether 7 counts or not"
    );
    assert_eq!(vacant.people_waiting(counters), 3);
    assert!(vacant.contains(9) && !vacant.contains(8) && !vacant.contains(0));
}

#[test]
fn a_range_of_any_length_costs_no_position() {
    let mut vacant = VacantNumbers::default();
    vacant.insert_range(100, QueueNumber::MAX - 1);
    let counters = QueueCounters::new(QueueNumber::MAX, 90);
    assert_eq!(vacant.position_of(number(QueueNumber::MAX), counters).get(), 11);
    assert_eq!(vacant.people_waiting(counters), 11);
    assert_eq!(vacant.end_of_range(101), Some(QueueNumber::MAX - 1));
    assert_eq!((vacant.end_of_range(100), vacant.end_of_range(QueueNumber::MAX)), (None, None));
}

#[test]
fn a_holder_who_turns_up_splits_a_range() {
    let mut vacant = VacantNumbers::default();
    vacant.insert_range(10, 20);
    assert!(vacant.remove(15) && !vacant.remove(15));
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(10, 14), (15, 20)]);
    assert!(vacant.remove(11) && vacant.remove(20));
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(11, 14), (15, 19)]);
    assert_eq!(vacant.len(), 7);
}

#[test]
fn a_range_leaves_single_numbers_single() {
    let mut vacant = VacantNumbers::of([10, 12, 20, 21]);
    vacant.insert_range(10, 20);
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(10, 11), (12, 19)]);
    assert_eq!(vacant.singles().collect::<Vec<_>>(), [10, 12, 20, 21]);
    vacant.insert_range(5, 12);
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(5, 9), (10, 11), (12, 19)]);
    vacant.insert_range(19, 19);
    vacant.insert_range(12, 11);
    assert_eq!(vacant.len(), 16);
}

#[test]
fn ranges_that_touch_are_one_and_an_empty_one_is_none() {
    let mut vacant = VacantNumbers::default();
    vacant.insert_range(30, 30);
    assert!(vacant.is_empty());
    for (from, to) in [(20, 25), (5, 9), (9, 12), (1, 5), (40, 41)] {
        vacant.insert_range(from, to);
    }
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(1, 12), (20, 25), (40, 41)]);
    vacant.insert_range(12, 20);
    vacant.insert_range(24, 40);
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(1, 41)]);
    assert_eq!((vacant.len(), vacant.count_up_to(1), vacant.count_up_to(2)), (40, 0, 1));
}

#[test]
fn numbers_at_the_ends_of_chunks_are_themselves() {
    let ends = [1, 4_095, 4_096, 4_097, 8_192, 8_193];
    let vacant = VacantNumbers::of(ends);
    assert_eq!(vacant.singles().collect::<Vec<_>>(), ends);
    for (at, number) in (0_u64..).zip(ends) {
        assert!(vacant.contains(number), "{number}");
        assert_eq!(
            (vacant.count_up_to(number - 1), vacant.count_up_to(number)),
            (at, at + 1),
            "{number}"
        );
    }
    for number in [2, 4_094, 4_098, 8_191, 8_194, 12_288] {
        assert!(!vacant.contains(number), "{number}");
    }
}

#[test]
fn zero_is_not_a_number() {
    assert_eq!(VacantNumbers::of([0, 3]), VacantNumbers::of([3]));
    let mut vacant = VacantNumbers::default();
    assert!(!vacant.insert(0) && !vacant.contains(0) && vacant.is_empty());
}

#[test]
fn passed_numbers_are_forgotten_except_ranges() {
    let mut vacant = VacantNumbers::of([3, 4_999, 5_000, 5_001, 9_000]);
    vacant.insert_range(10, 20);
    vacant.forget_singles_up_to(5_000);
    assert_eq!(vacant.singles().collect::<Vec<_>>(), [5_001, 9_000]);
    assert_eq!(vacant.ranges().collect::<Vec<_>>(), [(10, 20)]);
}

#[test]
fn a_clone_stays_as_it_was() {
    let mut vacant = VacantNumbers::of([1, 2]);
    let before = vacant.clone();
    vacant.insert(3);
    vacant.remove(1);
    assert_eq!(before.singles().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(vacant.singles().collect::<Vec<_>>(), [2, 3]);
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(u64),
    Remove(u64),
    Range(u64, u64),
    Forget(u64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let number = 1_u64..9_000;
    prop_oneof![
        4 => number.clone().prop_map(Edit::Insert),
        2 => number.clone().prop_map(Edit::Remove),
        1 => (number.clone(), 0_u64..5_000).prop_map(|(from, length)| Edit::Range(from, from + length)),
        1 => number.prop_map(Edit::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn it_counts_like_a_plain_set(edits in proptest::collection::vec(edit(), 1..40), marks in proptest::collection::vec(0_u64..15_000, 10)) {
        let mut vacant = VacantNumbers::default();
        let (mut singles, mut ranged) = (BTreeSet::new(), BTreeSet::new());
        for edit in edits {
            match edit {
                Edit::Insert(n) => {
                    let is_new = !ranged.contains(&n) && singles.insert(n);
                    prop_assert_eq!(vacant.insert(n), is_new);
                }
                Edit::Remove(n) => {
                    let was_there = singles.remove(&n) || ranged.remove(&n);
                    prop_assert_eq!(vacant.remove(n), was_there);
                }
                Edit::Range(from, to) => {
                    vacant.insert_range(from, to);
                    ranged.extend((from + 1..=to).filter(|n| !singles.contains(n)));
                }
                Edit::Forget(mark) => {
                    vacant.forget_singles_up_to(mark);
                    singles.retain(|n| *n > mark);
                }
            }
        }
        let all: BTreeSet<u64> = singles.union(&ranged).copied().collect();
        prop_assert_eq!(vacant.len(), all.len() as u64);
        prop_assert_eq!(vacant.is_empty(), all.is_empty());
        prop_assert_eq!(vacant.singles().collect::<BTreeSet<_>>(), singles);
        for mark in marks {
            prop_assert_eq!(vacant.count_up_to(mark), all.range(..=mark).count() as u64, "up to {}", mark);
            prop_assert_eq!(vacant.contains(mark), all.contains(&mark));
            prop_assert_eq!(vacant.is_in_range(mark), ranged.contains(&mark));
        }
    }
}
