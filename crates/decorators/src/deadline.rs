//! The deadline of a request, carried by its task.
//!
//! A task-local keeps the deadline out of every port method, so that the hexagon needs no clock.
//! Work on a separate task, such as a shared cache load, has its own limits.

use std::time::Duration;

use tokio::task::futures::TaskLocalFuture;
use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Work with a deadline.
pub type Within<F> = TaskLocalFuture<Instant, F>;

/// Runs `work` with a deadline that [`left`] returns. The deadline does not cancel the work: code
/// that waits bounds its wait by it.
pub fn within<F: Future>(deadline: Instant, work: F) -> Within<F> {
    DEADLINE.scope(deadline, work)
}

/// The remaining time; `None` without a deadline, zero past it.
#[must_use]
pub fn left() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_remaining_time_falls_to_zero_and_is_known_only_inside() {
        assert_eq!(left(), None);
        within(Instant::now() + Duration::from_secs(2), async {
            assert_eq!(left(), Some(Duration::from_secs(2)));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(left(), Some(Duration::from_secs(1)));
            tokio::time::advance(Duration::from_secs(5)).await;
            assert_eq!(left(), Some(Duration::ZERO));
        })
        .await;
        assert_eq!(left(), None);
    }
}
