//! How far a line had come, remembered outside its store.

use async_trait::async_trait;

use super::{Incarnations, Line, QueueId, QueueNumber};
use crate::PortError;

/// How far a line had come, as remembered outside its store.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Checkpoint {
    /// The two integers, as somebody has seen them.
    pub line: Line,
    /// No number above it was given before a higher ceiling was remembered; never below `line.last()`.
    pub ceiling: u64,
    /// The lives of the queue whose tokens are good.
    pub incarnations: Incarnations,
}

impl Checkpoint {
    /// A checkpoint that can be: a ceiling below `line.last()` is raised to it, since that number was given, and a mark
    /// above [`QueueNumber::MAX`] is lowered to it, since no number is higher.
    #[must_use]
    pub fn new(line: Line, ceiling: u64) -> Self {
        let within = |mark: u64| mark.min(QueueNumber::MAX);
        let line = Line::new(within(line.last()), within(line.serving()));
        let ceiling = within(ceiling).max(line.last());
        Self { line, ceiling, incarnations: Incarnations::default() }
    }

    /// The same, of a queue with these lives besides.
    #[must_use]
    pub fn with_incarnations(self, incarnations: Incarnations) -> Self {
        Self { incarnations: self.incarnations.union(incarnations), ..self }
    }

    /// The checkpoint at the higher of each mark, with the lives of both: what is left when both
    /// are believed.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        Self::new(self.line.raised_to(other.line), self.ceiling.max(other.ceiling))
            .with_incarnations(self.incarnations.union(other.incarnations))
    }
}

/// Remembers how far lines had come, for the day a store and all nodes are lost together: a line that is restored gives
/// no number up to the ceiling again, and calls people in the order of their numbers from about where it was. One value serves all queues; every method is one atomic
/// step and may be called from any number of tasks and nodes at once. A [`save`](Self::save) that fails may or may not
/// have been carried out; saving again is always safe.
///
/// # The rules every implementation keeps
///
/// 1. Of a queue nobody has saved nothing is remembered.
/// 2. What was saved is loaded, through this value and any other on the same memory.
/// 3. Each of the three marks only ever grows: a save raises the marks it has higher and lowers none, in whatever order
///    saves come and however many at once.
/// 4. A save returns what is remembered now: what it brought, and whatever was higher.
/// 5. Queues are apart.
/// 6. Marks up to [`QueueNumber::MAX`] are remembered to the last digit.
/// 7. A checkpoint that cannot be is remembered as [`Checkpoint::new`] makes it.
/// 8. The lives of a queue only grow, by union: a save adds those it brings, and takes none away;
///    of more than [`Incarnations::MAX`] the oldest are remembered.
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// What is remembered of this queue; `None` when nothing is.
    ///
    /// # Errors
    /// [`PortError`] when it could not be found out.
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError>;

    /// Remembers a checkpoint, and returns what is remembered now. It is durable when this returns: it outlives whatever
    /// the implementation itself outlives.
    ///
    /// # Errors
    /// [`PortError`] when it is not known to be remembered.
    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Incarnation;

    #[test]
    fn a_ceiling_is_never_below_the_last_number_and_no_mark_above_the_highest() {
        let line = Line::new(7, 3);
        let incarnations = Incarnations::default();
        assert_eq!(Checkpoint::new(line, 5), Checkpoint { line, ceiling: 7, incarnations });
        assert_eq!(Checkpoint::new(line, 9), Checkpoint { line, ceiling: 9, incarnations });
        let max = QueueNumber::MAX;
        let highest = Checkpoint { line: Line::new(max, max), ceiling: max, incarnations };
        assert_eq!(Checkpoint::new(Line::new(u64::MAX, u64::MAX), u64::MAX), highest);
        assert_eq!(Checkpoint::new(Line::new(max + 1, max + 1), 0), highest);
    }

    #[test]
    fn raising_a_checkpoint_never_lowers_a_mark() {
        let lives = |values: &[u64]| {
            Incarnations::of(values.iter().filter_map(|value| Incarnation::new(*value).ok()))
        };
        let one = Checkpoint::new(Line::new(9, 2), 10).with_incarnations(lives(&[30]));
        let other = Checkpoint::new(Line::new(6, 5), 20).with_incarnations(lives(&[20, 40]));
        let both =
            Checkpoint { line: Line::new(9, 5), ceiling: 20, incarnations: lives(&[20, 30, 40]) };
        assert_eq!((one.raised_to(other), other.raised_to(one)), (both, both));
    }
}
