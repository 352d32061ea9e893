//! Incarnations of a queue, which distinguish the tokens of this sale from those of a rehearsal
//! under the same key and id.

use std::num::NonZeroU64;

use super::NodeId;

/// An incarnation of a queue. A store creates one when it is first used and finds none; nodes and
/// checkpoints keep it through any loss, and every token carries it. A later incarnation has a
/// higher value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Incarnation(NonZeroU64);

/// The integer is not an incarnation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an incarnation is a whole number from 1 to {}", Incarnation::MAX)]
pub struct InvalidIncarnation;

/// Values created at the same moment on two nodes differ, except in one case out of this many.
const NODES_APART: u64 = 1_000;

/// The offset of a node's values from the clock, never zero; see [`Incarnation::begin`].
pub(super) fn apart(node: NodeId) -> u64 {
    1 + node.0 % NODES_APART
}

impl Incarnation {
    /// The highest value that the scripts of every store represent exactly.
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

    /// The incarnation created during a step of `node`, at `clock` microseconds by the server's
    /// clock.
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

/// The incarnations whose tokens a queue accepts, ascending. There is more than one if a late
/// witness brings another incarnation of the same queue; its holders keep their places.
///
/// A set only grows, by union. Of more than [`Self::MAX`] the oldest stay, so stores and nodes end
/// with the same set, in whatever order they learn of them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Incarnations([Option<Incarnation>; Self::MAX]);

impl Incarnations {
    /// The largest number of incarnations in a set.
    pub const MAX: usize = 4;

    /// A set of these, in any order.
    #[must_use]
    pub fn of(incarnations: impl IntoIterator<Item = Incarnation>) -> Self {
        incarnations.into_iter().fold(Self::default(), Self::with)
    }

    /// Adds an incarnation.
    #[must_use]
    pub fn with(mut self, incarnation: Incarnation) -> Self {
        let at = self.iter().take_while(|known| *known < incarnation).count();
        if at < Self::MAX && self.0[at] != Some(incarnation) {
            self.0[at..].rotate_right(1);
            self.0[at] = Some(incarnation);
        }
        self
    }

    /// The union of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self == other { self } else { other.iter().fold(self, Self::with) }
    }

    /// Whether the set contains this incarnation.
    #[must_use]
    pub fn contains(&self, incarnation: Incarnation) -> bool {
        self.0.contains(&Some(incarnation))
    }

    /// The oldest incarnation, which new tokens carry.
    #[must_use]
    pub fn oldest(&self) -> Option<Incarnation> {
        self.0[0]
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    /// The incarnations, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Incarnation> {
        self.0.into_iter().flatten()
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
