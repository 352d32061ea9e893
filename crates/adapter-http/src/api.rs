//! What the handlers drive, and what keeps them from being driven too hard.

use std::sync::Arc;

use domain::queue::QueueService;

use crate::concert::ConcertPages;
use crate::overload::Overload;
use crate::puzzle::JoinPuzzles;
use crate::schedule::ConcertDates;

/// The use cases behind the public routes; shared by all workers.
#[derive(Clone)]
pub struct Api {
    /// The line.
    pub queue: Arc<QueueService>,
    /// The concert list, as ready bytes.
    pub concerts: Arc<ConcertPages>,
    /// The dates, as ready bytes.
    pub dates: Arc<ConcertDates>,
    /// The limits on how much of it is done at once, and by whom.
    pub overload: Overload,
    /// What a client does before joining.
    pub puzzles: JoinPuzzles,
}
