//! The lives of a queue: what tells a token of this sale from one of a rehearsal under the same key
//! and id.

use std::num::NonZeroU64;

use super::recovery::NodeId;
use super::{Place, QueueNumber};

/// One life of a queue: made when a store that knows of none is first used, kept by nodes and
/// checkpoints through any loss, and carried by every token. A later life has a higher value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Incarnation(NonZeroU64);

/// An integer that names no life of a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an incarnation is a whole number from 1 to {}", Incarnation::MAX)]
pub struct InvalidIncarnation;

/// What begins from the same moment on two nodes differs, but for one case in so many.
const NODES_APART: u64 = 1_000;

/// How far from the moment of a clock what a node begins is: see [`Incarnation::begin`]. Never
/// zero.
pub(super) fn apart(node: NodeId) -> u64 {
    1 + node.0 % NODES_APART
}

impl Incarnation {
    /// The highest value, which every store's scripts count to exactly.
    pub const MAX: u64 = (1 << 53) - 1;

    /// Checks an integer.
    ///
    /// # Errors
    /// [`InvalidIncarnation`] for 0 and for anything above [`Self::MAX`].
    pub fn new(value: u64) -> Result<Self, InvalidIncarnation> {
        NonZeroU64::new(value)
            .filter(|value| value.get() <= Self::MAX)
            .map(Self)
            .ok_or(InvalidIncarnation)
    }

    /// The life that begins when a server's clock reads so many microseconds, with the visit of
    /// this node.
    #[must_use]
    pub fn begin(clock: u64, node: NodeId) -> Self {
        let value = clock.saturating_add(apart(node)).min(Self::MAX);
        Self(NonZeroU64::MIN.saturating_add(value - 1))
    }

    /// The integer.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// The lives whose tokens a queue accepts, ascending. There is more than one where a witness that
/// came late brought another life of the same queue, whose holders keep their places.
///
/// A set only grows, by union. Of more than [`Self::MAX`] the oldest stay: whatever the order in
/// which stores and nodes learn of them, they end with the same ones.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Incarnations([Option<Incarnation>; Self::MAX]);

impl Incarnations {
    /// As many there are at most.
    pub const MAX: usize = 4;

    /// These, in any order.
    #[must_use]
    pub fn of(incarnations: impl IntoIterator<Item = Incarnation>) -> Self {
        incarnations.into_iter().fold(Self::default(), Self::with)
    }

    /// The set with this one in it.
    #[must_use]
    pub fn with(mut self, incarnation: Incarnation) -> Self {
        let at = self.iter().take_while(|known| *known < incarnation).count();
        if at < Self::MAX && self.0[at] != Some(incarnation) {
            self.0[at..].rotate_right(1);
            self.0[at] = Some(incarnation);
        }
        self
    }

    /// All of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self == other { self } else { other.iter().fold(self, Self::with) }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contains(&self, incarnation: Incarnation) -> bool {
        self.0.contains(&Some(incarnation))
    }

    /// The oldest, which signs.
    #[must_use]
    pub fn oldest(&self) -> Option<Incarnation> {
        self.0[0]
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    /// Each of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Incarnation> {
        self.0.into_iter().flatten()
    }
}

/// What a visitor's token shows: in this life of the queue this number was given.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Shown {
    /// The life it was given in.
    pub incarnation: Incarnation,
    /// The number.
    pub number: QueueNumber,
}

impl From<&Place> for Shown {
    fn from(place: &Place) -> Self {
        Self { incarnation: place.incarnation, number: place.number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(value: u64) -> Incarnation {
        Incarnation::new(value).unwrap()
    }

    fn set(values: &[u64]) -> Incarnations {
        Incarnations::of(values.iter().copied().map(life))
    }

    fn values(set: Incarnations) -> Vec<u64> {
        set.iter().map(Incarnation::get).collect()
    }

    #[test]
    fn an_incarnation_is_a_number_that_scripts_count_to() {
        assert_eq!(Incarnation::new(0), Err(InvalidIncarnation));
        assert_eq!(Incarnation::new(Incarnation::MAX + 1), Err(InvalidIncarnation));
        assert_eq!(life(Incarnation::MAX).get(), 9_007_199_254_740_991);
    }

    #[test]
    fn it_begins_with_a_clock_apart_from_those_of_other_nodes() {
        let begun = |clock, node| Incarnation::begin(clock, NodeId(node)).get();
        assert_eq!((begun(0, 0), begun(5_000, 7), begun(5_000, 1_008)), (1, 5_008, 5_009));
        assert_eq!(begun(u64::MAX, 3), Incarnation::MAX);
    }

    #[test]
    fn a_set_is_ascending_and_has_each_once() {
        let all = set(&[30, 10, 20, 10]);
        assert_eq!(values(all), [10, 20, 30]);
        assert_eq!(all.oldest(), Some(life(10)));
        assert!(all.contains(life(20)) && !all.contains(life(25)));
        assert!(set(&[]).is_empty() && !all.is_empty());
        assert_eq!(set(&[]).oldest(), None);
    }

    #[test]
    fn of_too_many_the_oldest_stay_whatever_the_order() {
        let all = [50, 40, 30, 20, 10];
        for turn in 0..all.len() {
            let mut order = all;
            order.rotate_left(turn);
            assert_eq!(values(set(&order)), [10, 20, 30, 40], "{order:?}");
        }
        let (one, other) = (set(&[10, 30, 50, 60]), set(&[20, 30, 40]));
        assert_eq!(values(one.union(other)), [10, 20, 30, 40]);
        assert_eq!(one.union(other), other.union(one));
        assert_eq!(values(set(&[]).union(one)), values(one));
        assert_eq!(one.union(one), one);
    }
}
