//! Queue checkpoints, kept outside the queue store.

use async_trait::async_trait;

use super::{Incarnations, QueueCounters, QueueId, QueueNumber};
use crate::PortError;

/// The progress of a queue, as saved outside its store.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Checkpoint {
    /// The highest number issued and the highest number called.
    pub counters: QueueCounters,
    /// No number above this is issued until a higher ceiling is saved. Never below
    /// `counters.last()`.
    pub ceiling: u64,
    /// The incarnations whose tokens are valid.
    pub incarnations: Incarnations,
}

impl Checkpoint {
    /// A valid checkpoint. A ceiling below `counters.last()` is raised to it, because that number
    /// was issued. A mark above [`QueueNumber::MAX`] is lowered to it, because no number is higher.
    #[must_use]
    pub fn new(counters: QueueCounters, ceiling: u64) -> Self {
        let within = |mark: u64| mark.min(QueueNumber::MAX);
        let counters = QueueCounters::new(within(counters.last()), within(counters.serving()));
        let ceiling = within(ceiling).max(counters.last());
        Self { counters, ceiling, incarnations: Incarnations::default() }
    }

    /// The same checkpoint with these incarnations added.
    #[must_use]
    pub fn with_incarnations(self, incarnations: Incarnations) -> Self {
        Self { incarnations: self.incarnations.union(incarnations), ..self }
    }

    /// The higher of each mark, with the incarnations of both.
    #[must_use]
    pub fn raised_to(self, other: Self) -> Self {
        Self::new(self.counters.raised_to(other.counters), self.ceiling.max(other.ceiling))
            .with_incarnations(self.incarnations.union(other.incarnations))
    }
}

/// Saves checkpoints of queues, in case a store and all nodes are lost together. A restored queue
/// never reissues a number up to the ceiling, and calls people in the order of their numbers from
/// about where it was. One value serves all queues. Every method is one atomic step and may be
/// called from any number of tasks and nodes at once. A [`save`](Self::save) that fails may or may
/// not have been carried out; retrying it is always safe.
///
/// # The rules every implementation keeps
///
/// 1. A queue that was never saved has no checkpoint.
/// 2. A saved checkpoint is loaded through this value and through any other over the same storage.
/// 3. Each of the three marks only grows: a save raises lower marks and lowers none, in any order
///    and with any number of concurrent saves.
/// 4. A save returns the checkpoint as stored: the higher of the saved and the existing marks.
/// 5. Queues do not affect each other.
/// 6. Marks up to [`QueueNumber::MAX`] are stored exactly.
/// 7. An invalid checkpoint is stored as [`Checkpoint::new`] corrects it.
/// 8. The incarnations of a queue only grow, by union: a save adds its own and removes none. Of
///    more than [`Incarnations::MAX`] the oldest are kept.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait CheckpointStore: Send + Sync {
    /// Loads the checkpoint of this queue; `None` if there is none.
    ///
    /// # Errors
    /// [`PortError`] if the checkpoint could not be read.
    async fn load(&self, queue: QueueId) -> Result<Option<Checkpoint>, PortError>;

    /// Saves a checkpoint, and returns the one now stored. On return it is durable: it survives
    /// whatever the implementation itself survives.
    ///
    /// # Errors
    /// [`PortError`] if the save may not have succeeded.
    async fn save(&self, queue: QueueId, checkpoint: Checkpoint) -> Result<Checkpoint, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Incarnation;

    #[test]
    fn a_ceiling_is_never_below_the_last_number_and_no_mark_above_the_highest() {
        let counters = QueueCounters::new(7, 3);
        let incarnations = Incarnations::default();
        assert_eq!(Checkpoint::new(counters, 5), Checkpoint { counters, ceiling: 7, incarnations });
        assert_eq!(Checkpoint::new(counters, 9), Checkpoint { counters, ceiling: 9, incarnations });
        let max = QueueNumber::MAX;
        let highest =
            Checkpoint { counters: QueueCounters::new(max, max), ceiling: max, incarnations };
        assert_eq!(Checkpoint::new(QueueCounters::new(u64::MAX, u64::MAX), u64::MAX), highest);
        assert_eq!(Checkpoint::new(QueueCounters::new(max + 1, max + 1), 0), highest);
    }

    #[test]
    fn raising_a_checkpoint_never_lowers_a_mark() {
        let lives = |values: &[u64]| {
            Incarnations::of(values.iter().filter_map(|value| Incarnation::new(*value).ok()))
        };
        let one = Checkpoint::new(QueueCounters::new(9, 2), 10).with_incarnations(lives(&[30]));
        let other =
            Checkpoint::new(QueueCounters::new(6, 5), 20).with_incarnations(lives(&[20, 40]));
        let both = Checkpoint {
            counters: QueueCounters::new(9, 5),
            ceiling: 20,
            incarnations: lives(&[20, 30, 40]),
        };
        assert_eq!((one.raised_to(other), other.raised_to(one)), (both, both));
    }
}
