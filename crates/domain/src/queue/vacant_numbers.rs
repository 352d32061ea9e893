//! The numbers without a waiting person.

use std::sync::Arc;

use super::{Position, QueueCounters, QueueNumber};

/// The count of numbers in one chunk, a power of two.
const CHUNK: u64 = 4_096;
const WORDS: usize = (CHUNK / 64) as usize;

/// The numbers of a queue without a waiting person: abandoned while they waited, or skipped by a
/// recovery and without a known holder. With them a position counts people, not numbers.
///
/// Single numbers are bits in chunks that clones share. So a clone costs a few words for each 4,096
/// numbers, a change copies at most one chunk, and a count is a binary search. Ranges cost the same
/// for any length.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct VacantNumbers {
    /// The chunks, ascending.
    chunks: Vec<Chunk>,
    /// Half-open ranges `(from, to]`, ascending, disjoint from each other and from the single
    /// numbers.
    ranges: Vec<Range>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Chunk {
    /// The number before the chunk's first.
    base: u64,
    bits: Arc<[u64; WORDS]>,
    /// The count of numbers set in this chunk and all before it.
    up_to_here: u64,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Range {
    from: u64,
    to: u64,
    /// The count of numbers in this range and all before it.
    up_to_here: u64,
}

/// The position of a number's bit in its chunk: word and mask.
fn bit(number: u64) -> (usize, u64) {
    let offset = (number - 1) % CHUNK;
    ((offset / 64) as usize, 1 << (offset % 64))
}

fn base(number: u64) -> u64 {
    (number - 1) / CHUNK * CHUNK
}

impl Chunk {
    fn empty(base: u64) -> Self {
        Self { base, bits: Arc::new([0; WORDS]), up_to_here: 0 }
    }

    fn count(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The count of this chunk's numbers up to `mark`, which is in it.
    fn count_up_to(&self, mark: u64) -> u64 {
        let (word, mask) = bit(mark);
        let whole: u64 = self.bits[..word].iter().map(|word| u64::from(word.count_ones())).sum();
        whole + u64::from((self.bits[word] & (mask | (mask - 1))).count_ones())
    }
}

impl VacantNumbers {
    /// A set of these numbers, given in any order.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut vacant = Self::default();
        for number in numbers.into_iter().filter(|number| *number > 0) {
            vacant.set_bit(number);
        }
        vacant.recount_chunks(0);
        vacant
    }

    /// Adds a number; returns whether it is new. 0 is not a number.
    pub fn insert(&mut self, number: u64) -> bool {
        if number == 0 || self.contains(number) {
            return false;
        }
        let at = self.set_bit(number);
        self.recount_chunks(at);
        true
    }

    /// Adds the single numbers of another set.
    pub fn insert_singles_of(&mut self, other: &Self) {
        for number in other.singles() {
            if !self.is_in_range(number) {
                self.set_bit(number);
            }
        }
        self.recount_chunks(0);
    }

    /// Sets a bit and returns the index of its chunk. The caller must recount from there.
    fn set_bit(&mut self, number: u64) -> usize {
        let base = base(number);
        let at = self.chunks.partition_point(|chunk| chunk.base < base);
        if self.chunks.get(at).is_none_or(|chunk| chunk.base != base) {
            self.chunks.insert(at, Chunk::empty(base));
        }
        let (word, mask) = bit(number);
        Arc::make_mut(&mut self.chunks[at].bits)[word] |= mask;
        at
    }

    /// Adds the numbers `(from, to]`. Single numbers among them stay single.
    pub fn insert_range(&mut self, from: u64, to: u64) {
        let singles: Vec<u64> = self.singles_within(from, to).collect();
        let mut start = from;
        for single in singles {
            self.merge_range(start, single - 1);
            start = single;
        }
        self.merge_range(start, to);
        self.recount_ranges(0);
    }

    fn merge_range(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let (mut merged, mut apart) = (Range { from, to, up_to_here: 0 }, Vec::new());
        for range in self.ranges.drain(..) {
            if range.to < from || range.from > to {
                apart.push(range);
            } else {
                merged.from = merged.from.min(range.from);
                merged.to = merged.to.max(range.to);
            }
        }
        apart.push(merged);
        apart.sort_unstable_by_key(|range| range.from);
        self.ranges = apart;
    }

    /// Removes a number whose holder turned up. Returns whether it was in the set.
    pub fn remove(&mut self, number: u64) -> bool {
        if let Some(at) = self.chunk_with(number) {
            let (word, mask) = bit(number);
            Arc::make_mut(&mut self.chunks[at].bits)[word] &= !mask;
            self.recount_chunks(at);
            return true;
        }
        let Some(at) = self.range_with(number) else { return false };
        let Range { from, to, .. } = self.ranges[at];
        // After the loss of a queue kept in memory, thousands of holders turn up. Each removal
        // moves an entry at most once.
        match (from < number - 1, number < to) {
            (true, true) => {
                self.ranges[at].to = number - 1;
                self.ranges.insert(at + 1, Range { from: number, to, up_to_here: 0 });
            }
            (true, false) => self.ranges[at].to = number - 1,
            (false, true) => self.ranges[at].from = number,
            (false, false) => _ = self.ranges.remove(at),
        }
        self.recount_ranges(at);
        true
    }

    /// Removes the single numbers up to `mark`, because the queue has passed them. Ranges stay,
    /// since a holder who turns up late still has a claim.
    pub fn forget_singles_up_to(&mut self, mark: u64) {
        if self.chunks.first().is_some_and(|first| first.base < mark) {
            self.retain_singles(|number| number > mark);
        }
    }

    /// Whether the set contains this number.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        number > 0 && (self.chunk_with(number).is_some() || self.range_with(number).is_some())
    }

    /// Whether this number is in a range, so that no holder of it is known.
    #[must_use]
    pub fn is_in_range(&self, number: u64) -> bool {
        self.range_with(number).is_some()
    }

    /// The last number of the range that contains this number.
    #[must_use]
    pub fn end_of_range(&self, number: u64) -> Option<u64> {
        self.range_with(number).map(|at| self.ranges[at].to)
    }

    /// The count of numbers.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.singles_len() + self.ranges.last().map_or(0, |range| range.up_to_here)
    }

    /// The count of single numbers.
    #[must_use]
    pub fn singles_len(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.up_to_here)
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.ranges.is_empty()
    }

    /// The count of numbers up to `mark`.
    #[must_use]
    pub fn count_up_to(&self, mark: u64) -> u64 {
        if mark == 0 {
            return 0;
        }
        let chunk = self.chunks.partition_point(|chunk| chunk.base < base(mark));
        let singles = match self.chunks.get(chunk) {
            Some(own) if own.base == base(mark) => self.before_chunk(chunk) + own.count_up_to(mark),
            Some(_) | None => self.before_chunk(chunk),
        };
        let range = self.ranges.partition_point(|range| range.to <= mark);
        let before = range.checked_sub(1).map_or(0, |at| self.ranges[at].up_to_here);
        let part = self.ranges.get(range).map_or(0, |range| mark.saturating_sub(range.from));
        singles + before + part
    }

    /// The position of a number in a queue.
    #[must_use]
    pub fn position_of(&self, number: QueueNumber, counters: QueueCounters) -> Position {
        if counters.has_called(number) {
            return Position::CALLED;
        }
        let nobody =
            self.count_up_to(number.get() - 1).saturating_sub(self.count_up_to(counters.serving()));
        Position::new((number.get() - counters.serving()).saturating_sub(nobody).max(1))
    }

    /// The count of people waiting in a queue.
    #[must_use]
    pub fn people_waiting(&self, counters: QueueCounters) -> u64 {
        self.people_between(counters.serving(), counters.last())
    }

    /// The count of numbers in `(from, to]` that belong to people.
    #[must_use]
    pub fn people_between(&self, from: u64, to: u64) -> u64 {
        let nobody = self.count_up_to(to).saturating_sub(self.count_up_to(from));
        to.saturating_sub(from).saturating_sub(nobody)
    }

    /// The single numbers, ascending.
    pub fn singles(&self) -> impl Iterator<Item = u64> + '_ {
        self.chunks.iter().flat_map(|chunk| {
            let words = chunk.bits.iter().zip((chunk.base + 1..).step_by(64));
            words.flat_map(|(word, first)| {
                (0..64).filter(move |n| word >> n & 1 == 1).map(move |n| first + n)
            })
        })
    }

    fn singles_within(&self, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
        self.singles()
            .skip_while(move |number| *number <= from)
            .take_while(move |number| *number <= to)
    }

    /// The ranges `(from, to]`, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|range| (range.from, range.to))
    }

    fn chunk_with(&self, number: u64) -> Option<usize> {
        let at = self.chunks.binary_search_by_key(&base(number), |chunk| chunk.base).ok()?;
        let (word, mask) = bit(number);
        (self.chunks[at].bits[word] & mask != 0).then_some(at)
    }

    fn range_with(&self, number: u64) -> Option<usize> {
        let at = self.ranges.partition_point(|range| range.to < number);
        self.ranges.get(at).filter(|range| range.from < number).map(|_| at)
    }

    fn before_chunk(&self, at: usize) -> u64 {
        at.checked_sub(1).map_or(0, |before| self.chunks[before].up_to_here)
    }

    fn retain_singles(&mut self, keeps: impl Fn(u64) -> bool) {
        for chunk in &mut self.chunks {
            let (base, mut bits) = (chunk.base, *chunk.bits);
            for (word, first) in bits.iter_mut().zip((base + 1..).step_by(64)) {
                for n in (0..64).filter(|n| !keeps(first + n)) {
                    *word &= !(1 << n);
                }
            }
            if bits != *chunk.bits {
                chunk.bits = Arc::new(bits);
            }
        }
        self.recount_chunks(0);
    }

    /// Recounts from this chunk on, and drops empty ones.
    fn recount_chunks(&mut self, from: usize) {
        let mut sum = self.before_chunk(from);
        for chunk in self.chunks.iter_mut().skip(from) {
            sum += chunk.count();
            chunk.up_to_here = sum;
        }
        let mut before = 0;
        self.chunks
            .retain(|chunk| std::mem::replace(&mut before, chunk.up_to_here) < chunk.up_to_here);
    }

    /// Recounts from this range on.
    fn recount_ranges(&mut self, from: usize) {
        let mut sum = from.checked_sub(1).map_or(0, |before| self.ranges[before].up_to_here);
        for range in self.ranges.iter_mut().skip(from) {
            sum += range.to - range.from;
            range.up_to_here = sum;
        }
    }
}

#[cfg(test)]
mod tests;
