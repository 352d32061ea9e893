//! Open calls: ranges of numbers, one for each step that called people.

use std::collections::{BTreeSet, VecDeque};

use crate::queue::{QueueTime, VacantNumbers};

/// Numbers `(from, to]`, called until `ends`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Call {
    pub(super) from: u64,
    pub(super) to: u64,
    ends: QueueTime,
}

/// Open calls in the order of their numbers, and so of their ends.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Calls {
    ranges: VecDeque<Call>,
    /// Numbers in these ranges whose call was claimed or released.
    used: BTreeSet<u64>,
    /// The count of numbers in all ranges.
    numbers: u64,
}

impl Calls {
    /// The number of calls that are open and not used.
    pub(super) fn open(&self) -> u64 {
        self.numbers - self.used.len() as u64
    }

    /// The number before the first called one.
    pub(super) fn from(&self) -> Option<u64> {
        self.ranges.front().map(|call| call.from)
    }

    /// The end of this number's call, if it is open at `now` and not used.
    pub(super) fn end_of(&self, number: u64, now: QueueTime) -> Option<QueueTime> {
        let at = self.ranges.partition_point(|call| call.to < number);
        let call = self.ranges.get(at).filter(|call| call.from < number && call.ends > now)?;
        (!self.used.contains(&number)).then_some(call.ends)
    }

    /// Calls one number, which must be above all called ones.
    pub(super) fn add(&mut self, number: u64, ends: QueueTime) {
        self.numbers += 1;
        match self.ranges.back_mut() {
            Some(last) if last.to + 1 == number && last.ends == ends => last.to = number,
            Some(_) | None => self.ranges.push_back(Call { from: number - 1, to: number, ends }),
        }
    }

    /// Calls the numbers `(from, to]` except the vacant ones.
    pub(super) fn add_without(
        &mut self,
        vacant: &VacantNumbers,
        from: u64,
        to: u64,
        ends: QueueTime,
    ) {
        let mut number = from + 1;
        while number <= to {
            if let Some(end) = vacant.end_of_range(number) {
                number = end;
            } else if !vacant.contains(number) {
                self.add(number, ends);
            }
            number += 1;
        }
    }

    /// Uses up a call; returns whether it was open and not used.
    pub(super) fn use_up(&mut self, number: u64, now: QueueTime) -> bool {
        self.end_of(number, now).is_some() && self.used.insert(number)
    }

    /// The numbers whose calls were used.
    pub(super) fn used(&self) -> impl Iterator<Item = u64> + '_ {
        self.used.iter().copied()
    }

    /// Whether a call of this number is open and was used.
    pub(super) fn is_used(&self, number: u64) -> bool {
        self.used.contains(&number)
    }

    /// Removes calls that have lapsed by `now`: those of one range, at most `max` numbers.
    pub(super) fn take_lapsed(&mut self, now: QueueTime, max: u64) -> Option<Call> {
        let oldest = self.ranges.front().filter(|call| call.ends <= now)?;
        self.take_oldest_up_to(oldest.from + max)
    }

    /// Removes calls of numbers up to this one: those of one range.
    pub(super) fn take_up_to(&mut self, mark: u64) -> Option<Call> {
        self.ranges.front().filter(|call| call.from < mark)?;
        self.take_oldest_up_to(mark)
    }

    fn take_oldest_up_to(&mut self, mark: u64) -> Option<Call> {
        let oldest = self.ranges.front_mut()?;
        let taken = Call { to: oldest.to.min(mark), ..*oldest };
        oldest.from = taken.to;
        self.numbers -= taken.to - taken.from;
        if oldest.from == oldest.to {
            self.ranges.pop_front();
        }
        Some(taken)
    }

    /// Forgets that a lapsed call was used; returns whether it was.
    pub(super) fn forget_used(&mut self, number: u64) -> bool {
        self.used.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> QueueTime {
        QueueTime::from_micros(second * 1_000_000)
    }

    fn ranges(calls: &Calls) -> Vec<(u64, u64)> {
        calls.ranges.iter().map(|call| (call.from, call.to)).collect()
    }

    #[test]
    fn calls_of_one_step_that_follow_each_other_are_one_range() {
        let mut calls = Calls::default();
        for (number, ends) in [(4, 10), (5, 10), (6, 10), (8, 10), (9, 11), (10, 11)] {
            calls.add(number, at(ends));
        }
        assert_eq!(ranges(&calls), [(3, 6), (7, 8), (8, 10)]);
        assert_eq!((calls.open(), calls.from()), (6, Some(3)));
        assert_eq!(calls.end_of(8, at(0)), Some(at(10)));
        assert_eq!([3, 7, 11].map(|number| calls.end_of(number, at(0))), [None; 3]);
    }

    #[test]
    fn vacant_numbers_are_not_called() {
        let mut vacant = VacantNumbers::of([3, 4, 12]);
        vacant.insert_range(5, 8);
        let mut calls = Calls::default();
        calls.add_without(&vacant, 1, 12, at(10));
        assert_eq!(ranges(&calls), [(1, 2), (4, 5), (8, 11)]);
        calls.add_without(&vacant, 12, 12, at(10));
        assert_eq!(calls.open(), 5);
    }

    #[test]
    fn lapsed_calls_are_removed_in_pieces_and_the_rest_stays() {
        let mut calls = Calls::default();
        (1..=10).for_each(|number| calls.add(number, at(10)));
        calls.add(11, at(12));
        assert!(calls.use_up(2, at(9)) && calls.use_up(9, at(9)));
        assert!(!calls.use_up(2, at(9)), "used already");
        assert_eq!(calls.open(), 9);
        assert_eq!(calls.take_lapsed(at(9), 4), None);
        let taken = |call: Option<Call>| call.map(|call| (call.from, call.to));
        assert_eq!(taken(calls.take_lapsed(at(10), 4)), Some((0, 4)));
        assert_eq!((ranges(&calls), calls.from()), (vec![(4, 10), (10, 11)], Some(4)));
        assert!(calls.forget_used(2) && !calls.forget_used(2));
        assert_eq!(calls.open(), 6, "5 to 11 without 9");
        assert_eq!(taken(calls.take_lapsed(at(10), 6)), Some((4, 10)));
        assert_eq!(calls.take_lapsed(at(10), 6), None, "11 stands");
        assert_eq!(ranges(&calls), [(10, 11)]);
    }

    #[test]
    fn calls_up_to_a_number_are_removed_range_by_range() {
        let mut calls = Calls::default();
        for (number, ends) in [(1, 10), (2, 10), (3, 11), (4, 11)] {
            calls.add(number, at(ends));
        }
        let mut taken = vec![];
        while let Some(call) = calls.take_up_to(3) {
            taken.push((call.from, call.to));
        }
        assert_eq!(taken, [(0, 2), (2, 3)]);
        assert_eq!((ranges(&calls), calls.open()), (vec![(3, 4)], 1));
    }
}
