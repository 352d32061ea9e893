//! The use cases behind the public handlers, and their limits.

use std::sync::Arc;

use domain::queue::QueueService;

use crate::concert::ConcertPages;
use crate::overload::LoadShedder;
use crate::puzzle::JoinPuzzles;
use crate::schedule::ConcertDates;

/// Everything the public handlers use; shared by all workers.
#[derive(Clone)]
pub struct Api {
    /// The queue.
    pub queue: Arc<QueueService>,
    /// The rendered concert list.
    pub concerts: Arc<ConcertPages>,
    /// The rendered dates.
    pub dates: Arc<ConcertDates>,
    /// Rate and concurrency limits.
    pub overload: LoadShedder,
    /// The puzzles before joining.
    pub puzzles: JoinPuzzles,
    /// Whether the description of the API and its page are served.
    pub documentation: bool,
}
