//! What the handlers drive.

use std::sync::Arc;

use domain::queue::QueueService;
use domain::schedule::ScheduleService;

use crate::concert::ConcertPages;

/// The use cases behind the public routes; shared by all workers.
#[derive(Clone)]
pub struct Api {
    /// The line.
    pub queue: Arc<QueueService>,
    /// The concert list, as ready bytes.
    pub concerts: Arc<ConcertPages>,
    /// The dates.
    pub schedules: Arc<ScheduleService>,
}
