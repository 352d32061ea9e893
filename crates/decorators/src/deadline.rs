//! The moment by which a request must be answered, carried along with its task.
//!
//! It is carried by the task and not by every method of every port, so that the hexagon needs no clock for it. Work on a task
//! of its own, such as a load that others wait for too, has limits of its own.

use std::time::Duration;

use tokio::task::futures::TaskLocalFuture;
use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Work with a deadline.
pub type Within<F> = TaskLocalFuture<Instant, F>;

/// Runs `work` with a deadline that [`left`] knows. It is not ended by it: whoever is about to wait asks how long it may.
pub fn within<F: Future>(deadline: Instant, work: F) -> Within<F> {
    DEADLINE.scope(deadline, work)
}

/// How long there is left; `None` without a deadline, zero past it.
#[must_use]
pub fn left() -> Option<Duration> {
    DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_shrinks_to_nothing_and_is_known_inside_only() {
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
